INSERT INTO workflow VALUES ('demo', 'demo', '/nowhere', '', 'main', CAST('{"name":"demo","repo":"/nowhere","task":[{"id":"a","branch":"feat/a","terminal":[{"cli":"claude","instruction":"a: work of the coder","role":"coder"},{"cli":"claude","instruction":"a: work of the reviewer","role":"reviewer"}]}],"test":["pytest"],"max_terminals":8}' AS BLOB), 'running', 'asked by a person', 18, '2026-11-22T12:00:00.000000Z', 0, 0, '', '', 0, 0, '', '', '[]', '', '', '', '', '', 0, 0, '', '[]');
INSERT INTO task VALUES ('demo/a/', 'demo', 'a', 'a', 1, 'feat/a', 'review_pending', 'commit 000000000000: what was done', '', '0000000000000000000000000000000000000001', '', 0, 0, '');
INSERT INTO terminal VALUES ('demo/a/1/', 'demo', 'demo/a/', 1, 'coder', 'claude', CAST('{"cli":"claude","instruction":"a: work of the coder","role":"coder"}' AS BLOB), 'running', 'gets its instruction', 1, 'token1', 0, 0, 1, 1, 1, 'Callboard task demo/a/ (a), branch feat/a.

a: work of the coder

How to report: your commits are the only thing that is read. Add new files with git add first. The words that begin with # count only as written here: in the message itself, by themselves, without quotes around them. Do not use them in any other commit.
When all of it is ready to be reviewed, commit with:
    git commit -am "<what you did> #review"
If you cannot do it, commit with:
    git commit --allow-empty -m "<what you tried> #fail" -m "<why it does not work>"', 0, 0, '', 0, 0, '2026-11-22T12:00:00.000000Z', 0.0);
INSERT INTO terminal VALUES ('demo/a/2/', 'demo', 'demo/a/', 2, 'reviewer', 'claude', CAST('{"cli":"claude","instruction":"a: work of the reviewer","role":"reviewer"}' AS BLOB), 'running', 'gets its instruction', 1, 'token2', 0, 1, 1, 0, 1, 'Callboard task demo/a/ (a), branch feat/a.

a: work of the reviewer

The work that asks for review: git diff ..000000000000

How to report: your commits are the only thing that is read. Add new files with git add first. The words that begin with # count only as written here: in the message itself, by themselves, without quotes around them. Do not use them in any other commit.
To accept the work, commit with:
    git commit --allow-empty -m "<what you saw> #done"
To send it back, commit with:
    git commit --allow-empty -m "<what is wrong> #fail" -m "<each issue, with its file>"', 0, 0, '', 0, 0, '2026-11-22T12:00:00.000000Z', 0.0);
INSERT INTO fact VALUES (1, 'demo', 'demo/', 0, CAST('{"type":"workflow.status","seq":1,"at":"2026-11-29T09:12:42.116604Z","address":"demo/","old":null,"new":"created","reason":"submitted"}' AS BLOB));
INSERT INTO fact VALUES (2, 'demo', 'demo/a/', 0, CAST('{"type":"task.status","seq":2,"at":"2026-11-29T09:12:42.116604Z","address":"demo/a/","old":null,"new":"pending","reason":"submitted"}' AS BLOB));
INSERT INTO fact VALUES (3, 'demo', 'demo/a/1/', 0, CAST('{"type":"terminal.status","seq":3,"at":"2026-11-29T09:12:42.116604Z","address":"demo/a/1/","old":null,"new":"not_started","reason":"submitted","incarnation":0}' AS BLOB));
INSERT INTO fact VALUES (4, 'demo', 'demo/a/2/', 0, CAST('{"type":"terminal.status","seq":4,"at":"2026-11-29T09:12:42.116604Z","address":"demo/a/2/","old":null,"new":"not_started","reason":"submitted","incarnation":0}' AS BLOB));
INSERT INTO fact VALUES (5, 'demo', 'demo/', 0, CAST('{"type":"workflow.status","seq":5,"at":"2026-11-29T09:12:42.128894Z","address":"demo/","old":"created","new":"starting","reason":"asked by a person"}' AS BLOB));
INSERT INTO fact VALUES (6, 'demo', 'demo/a/1/', 0, CAST('{"type":"terminal.status","seq":6,"at":"2026-11-29T09:12:42.128894Z","address":"demo/a/1/","old":"not_started","new":"starting","reason":"its turn to be started","incarnation":1}' AS BLOB));
INSERT INTO fact VALUES (7, 'demo', 'demo/a/1/', 1, CAST('{"type":"terminal.ready","seq":7,"at":"2026-11-29T09:12:42.136482Z","address":"demo/a/1/","incarnation":1,"seconds":0.0}' AS BLOB));
INSERT INTO fact VALUES (8, 'demo', 'demo/a/1/', 0, CAST('{"type":"terminal.status","seq":8,"at":"2026-11-29T09:12:42.141134Z","address":"demo/a/1/","old":"starting","new":"waiting","reason":"ready","incarnation":1}' AS BLOB));
INSERT INTO fact VALUES (9, 'demo', 'demo/a/2/', 0, CAST('{"type":"terminal.status","seq":9,"at":"2026-11-29T09:12:42.141134Z","address":"demo/a/2/","old":"not_started","new":"starting","reason":"its turn to be started","incarnation":1}' AS BLOB));
INSERT INTO fact VALUES (10, 'demo', 'demo/a/2/', 1, CAST('{"type":"terminal.ready","seq":10,"at":"2026-11-29T09:12:42.144445Z","address":"demo/a/2/","incarnation":1,"seconds":0.0}' AS BLOB));
INSERT INTO fact VALUES (11, 'demo', 'demo/a/2/', 0, CAST('{"type":"terminal.status","seq":11,"at":"2026-11-29T09:12:42.148970Z","address":"demo/a/2/","old":"starting","new":"waiting","reason":"ready","incarnation":1}' AS BLOB));
INSERT INTO fact VALUES (12, 'demo', 'demo/', 0, CAST('{"type":"workflow.status","seq":12,"at":"2026-11-29T09:12:42.148970Z","address":"demo/","old":"starting","new":"ready","reason":"2 terminals wait for the start"}' AS BLOB));
INSERT INTO fact VALUES (13, 'demo', 'demo/', 0, CAST('{"type":"workflow.status","seq":13,"at":"2026-11-29T09:12:42.153395Z","address":"demo/","old":"ready","new":"running","reason":"asked by a person"}' AS BLOB));
INSERT INTO fact VALUES (14, 'demo', 'demo/a/', 0, CAST('{"type":"task.status","seq":14,"at":"2026-11-29T09:12:42.153395Z","address":"demo/a/","old":"pending","new":"running","reason":"demo/a/1/ is set to work"}' AS BLOB));
INSERT INTO fact VALUES (15, 'demo', 'demo/a/1/', 0, CAST('{"type":"terminal.status","seq":15,"at":"2026-11-29T09:12:42.153395Z","address":"demo/a/1/","old":"waiting","new":"running","reason":"gets its instruction","incarnation":1}' AS BLOB));
INSERT INTO fact VALUES (16, 'demo', 'demo/a/', 1, CAST('{"type":"commit.seen","seq":16,"at":"2026-11-29T09:12:42.160475Z","address":"demo/a/","branch":"b","commit":"0000000000000000000000000000000000000001","subject":"what was done","author":"","verdict":"review","issues":"","names":{},"problem":"","written":""}' AS BLOB));
INSERT INTO fact VALUES (17, 'demo', 'demo/a/', 0, CAST('{"type":"task.status","seq":17,"at":"2026-11-29T09:12:42.165926Z","address":"demo/a/","old":"running","new":"review_pending","reason":"commit 000000000000: what was done"}' AS BLOB));
INSERT INTO fact VALUES (18, 'demo', 'demo/a/1/', 1, CAST('{"type":"terminal.exited","seq":18,"at":"2026-11-29T09:12:42.167757Z","address":"demo/a/1/","incarnation":1,"kind":"exited","status":0,"offset":0,"leftovers":0,"screen":"the last screen","unsure":0}' AS BLOB));
INSERT INTO fact VALUES (19, 'demo', 'demo/a/2/', 0, CAST('{"type":"terminal.status","seq":19,"at":"2026-11-29T09:12:42.177197Z","address":"demo/a/2/","old":"waiting","new":"running","reason":"gets its instruction","incarnation":1}' AS BLOB));
