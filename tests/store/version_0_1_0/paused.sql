INSERT INTO workflow VALUES ('demo', 'demo', '/nowhere', '', 'main', CAST('{"name":"demo","repo":"/nowhere","task":[{"id":"a","branch":"feat/a","terminal":[{"cli":"claude","instruction":"a: work of the coder"}]}],"test":["pytest"],"max_terminals":8}' AS BLOB), 'paused', 'asked by a person', 6, '2026-11-22T12:00:00.000000Z', 0, 0, '', '', 0, 0, '', '', '[]', '', '', '', '', '', 0, 0, '', '[]');
INSERT INTO task VALUES ('demo/a/', 'demo', 'a', 'a', 1, 'feat/a', 'running', 'demo/a/1/ is set to work', '', '', '', 0, 0, '');
INSERT INTO terminal VALUES ('demo/a/1/', 'demo', 'demo/a/', 1, 'coder', 'claude', CAST('{"cli":"claude","instruction":"a: work of the coder"}' AS BLOB), 'running', 'gets its instruction', 1, 'token1', 0, 1, 1, 0, 1, 'Callboard task demo/a/ (a), branch feat/a.

a: work of the coder

How to report: your commits are the only thing that is read. Add new files with git add first. The words that begin with # count only as written here: in the message itself, by themselves, without quotes around them. Do not use them in any other commit.
When all of it is complete, commit with:
    git commit -am "<what you did> #done"
If you cannot do it, commit with:
    git commit --allow-empty -m "<what you tried> #fail" -m "<why it does not work>"', 0, 0, '', 0, 0, '2026-11-22T12:00:00.000000Z', 0.0);
INSERT INTO fact VALUES (1, 'demo', 'demo/', 0, CAST('{"type":"workflow.status","seq":1,"at":"2026-11-29T09:12:42.608215Z","address":"demo/","old":null,"new":"created","reason":"submitted"}' AS BLOB));
INSERT INTO fact VALUES (2, 'demo', 'demo/a/', 0, CAST('{"type":"task.status","seq":2,"at":"2026-11-29T09:12:42.608215Z","address":"demo/a/","old":null,"new":"pending","reason":"submitted"}' AS BLOB));
INSERT INTO fact VALUES (3, 'demo', 'demo/a/1/', 0, CAST('{"type":"terminal.status","seq":3,"at":"2026-11-29T09:12:42.608215Z","address":"demo/a/1/","old":null,"new":"not_started","reason":"submitted","incarnation":0}' AS BLOB));
INSERT INTO fact VALUES (4, 'demo', 'demo/', 0, CAST('{"type":"workflow.status","seq":4,"at":"2026-11-29T09:12:42.640612Z","address":"demo/","old":"created","new":"starting","reason":"asked by a person"}' AS BLOB));
INSERT INTO fact VALUES (5, 'demo', 'demo/a/1/', 0, CAST('{"type":"terminal.status","seq":5,"at":"2026-11-29T09:12:42.640612Z","address":"demo/a/1/","old":"not_started","new":"starting","reason":"its turn to be started","incarnation":1}' AS BLOB));
INSERT INTO fact VALUES (6, 'demo', 'demo/a/1/', 1, CAST('{"type":"terminal.ready","seq":6,"at":"2026-11-29T09:12:42.656369Z","address":"demo/a/1/","incarnation":1,"seconds":0.0}' AS BLOB));
INSERT INTO fact VALUES (7, 'demo', 'demo/a/1/', 0, CAST('{"type":"terminal.status","seq":7,"at":"2026-11-29T09:12:42.672945Z","address":"demo/a/1/","old":"starting","new":"waiting","reason":"ready","incarnation":1}' AS BLOB));
INSERT INTO fact VALUES (8, 'demo', 'demo/', 0, CAST('{"type":"workflow.status","seq":8,"at":"2026-11-29T09:12:42.672945Z","address":"demo/","old":"starting","new":"ready","reason":"1 terminals wait for the start"}' AS BLOB));
INSERT INTO fact VALUES (9, 'demo', 'demo/', 0, CAST('{"type":"workflow.status","seq":9,"at":"2026-11-29T09:12:42.697883Z","address":"demo/","old":"ready","new":"running","reason":"asked by a person"}' AS BLOB));
INSERT INTO fact VALUES (10, 'demo', 'demo/a/', 0, CAST('{"type":"task.status","seq":10,"at":"2026-11-29T09:12:42.697883Z","address":"demo/a/","old":"pending","new":"running","reason":"demo/a/1/ is set to work"}' AS BLOB));
INSERT INTO fact VALUES (11, 'demo', 'demo/a/1/', 0, CAST('{"type":"terminal.status","seq":11,"at":"2026-11-29T09:12:42.697883Z","address":"demo/a/1/","old":"waiting","new":"running","reason":"gets its instruction","incarnation":1}' AS BLOB));
INSERT INTO fact VALUES (12, 'demo', 'demo/', 0, CAST('{"type":"workflow.status","seq":12,"at":"2026-11-29T09:12:42.709313Z","address":"demo/","old":"running","new":"paused","reason":"asked by a person"}' AS BLOB));
