INSERT INTO workflow VALUES ('demo', 'demo', '/nowhere', '', 'main', CAST('{"name":"demo","repo":"/nowhere","task":[{"id":"a","branch":"feat/a","terminal":[{"cli":"claude","instruction":"a: work of the coder"}]},{"id":"b","branch":"feat/b","terminal":[{"cli":"claude","instruction":"b: work of the coder"}]}],"test":["pytest"],"max_terminals":8,"merge":{"cli":"resolver"}}' AS BLOB), 'merging', 'every task has completed', 34, '2026-11-22T12:00:00.000000Z', 0, 1, '', '', 0, 0, 'checking', '0000000000000000000000000000000000000003', '["a.py"]', 'feat/a', '/tmp/scratch', '', '2026-11-22T12:00:00.000000Z', '1/0///MergeConflict', 0, 1, '', '[]');
INSERT INTO task VALUES ('demo/a/', 'demo', 'a', 'a', 1, 'feat/a', 'completed', 'commit 000000000000: what was done', '', '0000000000000000000000000000000000000001', '', 0, 0, '');
INSERT INTO task VALUES ('demo/b/', 'demo', 'b', 'b', 2, 'feat/b', 'completed', 'commit 000000000000: what was done', '', '0000000000000000000000000000000000000002', '', 0, 0, '');
INSERT INTO terminal VALUES ('demo/a/1/', 'demo', 'demo/a/', 1, 'coder', 'claude', CAST('{"cli":"claude","instruction":"a: work of the coder"}' AS BLOB), 'completed', 'commit 000000000000: what was done', 1, 'token1', 0, 0, 1, 1, 1, 'Callboard task demo/a/ (a), branch feat/a.

a: work of the coder

How to report: your commits are the only thing that is read. Add new files with git add first. The words that begin with # count only as written here: in the message itself, by themselves, without quotes around them. Do not use them in any other commit.
When all of it is complete, commit with:
    git commit -am "<what you did> #done"
If you cannot do it, commit with:
    git commit --allow-empty -m "<what you tried> #fail" -m "<why it does not work>"', 0, 0, '', 0, 0, '2026-11-22T12:00:00.000000Z', 0.0);
INSERT INTO terminal VALUES ('demo/b/1/', 'demo', 'demo/b/', 1, 'coder', 'claude', CAST('{"cli":"claude","instruction":"b: work of the coder"}' AS BLOB), 'completed', 'commit 000000000000: what was done', 1, 'token2', 0, 0, 1, 1, 1, 'Callboard task demo/b/ (b), branch feat/b.

b: work of the coder

How to report: your commits are the only thing that is read. Add new files with git add first. The words that begin with # count only as written here: in the message itself, by themselves, without quotes around them. Do not use them in any other commit.
When all of it is complete, commit with:
    git commit -am "<what you did> #done"
If you cannot do it, commit with:
    git commit --allow-empty -m "<what you tried> #fail" -m "<why it does not work>"', 0, 0, '', 0, 0, '2026-11-22T12:00:00.000000Z', 0.0);
INSERT INTO terminal VALUES ('demo/merge/', 'demo', NULL, 0, 'coder', 'resolver', CAST('{"cli":"resolver","instruction":"resolve the merge"}' AS BLOB), 'running', 'gets its instruction', 1, 'token9', 0, 1, 1, 0, 1, 'Callboard workflow demo/: the merge into main.

Merging feat/a conflicts in: a.py. The worktree /tmp/scratch holds the conflict; resolve it so that nothing of either side is lost.

How to report: your commits are the only thing that is read. Add new files with git add first. The words that begin with # count only as written here: in the message itself, by themselves, without quotes around them. Do not use them in any other commit.
When no conflict is left and nothing of either side is lost, commit with:
    git commit -am "<what you merged> #done"
A change you leave out on purpose must be named in that message, one line each:
    -m "Dropped: <file>: <reason>"
If you cannot do it, run git merge --abort, then commit with:
    git commit --allow-empty -m "<what you tried> #fail" -m "<why it does not work>"', 0, 0, '', 0, 0, '2026-11-22T12:00:00.000000Z', 0.0);
INSERT INTO fact VALUES (1, 'demo', 'demo/', 0, CAST('{"type":"workflow.status","seq":1,"at":"2026-11-29T09:12:44.743744Z","address":"demo/","old":null,"new":"created","reason":"submitted"}' AS BLOB));
INSERT INTO fact VALUES (2, 'demo', 'demo/a/', 0, CAST('{"type":"task.status","seq":2,"at":"2026-11-29T09:12:44.743744Z","address":"demo/a/","old":null,"new":"pending","reason":"submitted"}' AS BLOB));
INSERT INTO fact VALUES (3, 'demo', 'demo/a/1/', 0, CAST('{"type":"terminal.status","seq":3,"at":"2026-11-29T09:12:44.743744Z","address":"demo/a/1/","old":null,"new":"not_started","reason":"submitted","incarnation":0}' AS BLOB));
INSERT INTO fact VALUES (4, 'demo', 'demo/b/', 0, CAST('{"type":"task.status","seq":4,"at":"2026-11-29T09:12:44.743744Z","address":"demo/b/","old":null,"new":"pending","reason":"submitted"}' AS BLOB));
INSERT INTO fact VALUES (5, 'demo', 'demo/b/1/', 0, CAST('{"type":"terminal.status","seq":5,"at":"2026-11-29T09:12:44.743744Z","address":"demo/b/1/","old":null,"new":"not_started","reason":"submitted","incarnation":0}' AS BLOB));
INSERT INTO fact VALUES (6, 'demo', 'demo/', 0, CAST('{"type":"workflow.status","seq":6,"at":"2026-11-29T09:12:44.746973Z","address":"demo/","old":"created","new":"starting","reason":"asked by a person"}' AS BLOB));
INSERT INTO fact VALUES (7, 'demo', 'demo/a/1/', 0, CAST('{"type":"terminal.status","seq":7,"at":"2026-11-29T09:12:44.746973Z","address":"demo/a/1/","old":"not_started","new":"starting","reason":"its turn to be started","incarnation":1}' AS BLOB));
INSERT INTO fact VALUES (8, 'demo', 'demo/a/1/', 1, CAST('{"type":"terminal.ready","seq":8,"at":"2026-11-29T09:12:44.749255Z","address":"demo/a/1/","incarnation":1,"seconds":0.0}' AS BLOB));
INSERT INTO fact VALUES (9, 'demo', 'demo/a/1/', 0, CAST('{"type":"terminal.status","seq":9,"at":"2026-11-29T09:12:44.751108Z","address":"demo/a/1/","old":"starting","new":"waiting","reason":"ready","incarnation":1}' AS BLOB));
INSERT INTO fact VALUES (10, 'demo', 'demo/b/1/', 0, CAST('{"type":"terminal.status","seq":10,"at":"2026-11-29T09:12:44.751108Z","address":"demo/b/1/","old":"not_started","new":"starting","reason":"its turn to be started","incarnation":1}' AS BLOB));
INSERT INTO fact VALUES (11, 'demo', 'demo/b/1/', 1, CAST('{"type":"terminal.ready","seq":11,"at":"2026-11-29T09:12:44.752649Z","address":"demo/b/1/","incarnation":1,"seconds":0.0}' AS BLOB));
INSERT INTO fact VALUES (12, 'demo', 'demo/b/1/', 0, CAST('{"type":"terminal.status","seq":12,"at":"2026-11-29T09:12:44.753925Z","address":"demo/b/1/","old":"starting","new":"waiting","reason":"ready","incarnation":1}' AS BLOB));
INSERT INTO fact VALUES (13, 'demo', 'demo/', 0, CAST('{"type":"workflow.status","seq":13,"at":"2026-11-29T09:12:44.753925Z","address":"demo/","old":"starting","new":"ready","reason":"2 terminals wait for the start"}' AS BLOB));
INSERT INTO fact VALUES (14, 'demo', 'demo/', 0, CAST('{"type":"workflow.status","seq":14,"at":"2026-11-29T09:12:44.755872Z","address":"demo/","old":"ready","new":"running","reason":"asked by a person"}' AS BLOB));
INSERT INTO fact VALUES (15, 'demo', 'demo/a/', 0, CAST('{"type":"task.status","seq":15,"at":"2026-11-29T09:12:44.755872Z","address":"demo/a/","old":"pending","new":"running","reason":"demo/a/1/ is set to work"}' AS BLOB));
INSERT INTO fact VALUES (16, 'demo', 'demo/a/1/', 0, CAST('{"type":"terminal.status","seq":16,"at":"2026-11-29T09:12:44.755872Z","address":"demo/a/1/","old":"waiting","new":"running","reason":"gets its instruction","incarnation":1}' AS BLOB));
INSERT INTO fact VALUES (17, 'demo', 'demo/b/', 0, CAST('{"type":"task.status","seq":17,"at":"2026-11-29T09:12:44.755872Z","address":"demo/b/","old":"pending","new":"running","reason":"demo/b/1/ is set to work"}' AS BLOB));
INSERT INTO fact VALUES (18, 'demo', 'demo/b/1/', 0, CAST('{"type":"terminal.status","seq":18,"at":"2026-11-29T09:12:44.755872Z","address":"demo/b/1/","old":"waiting","new":"running","reason":"gets its instruction","incarnation":1}' AS BLOB));
INSERT INTO fact VALUES (19, 'demo', 'demo/a/', 1, CAST('{"type":"commit.seen","seq":19,"at":"2026-11-29T09:12:44.757620Z","address":"demo/a/","branch":"b","commit":"0000000000000000000000000000000000000001","subject":"what was done","author":"","verdict":"done","issues":"","names":{},"problem":"","written":""}' AS BLOB));
INSERT INTO fact VALUES (20, 'demo', 'demo/a/1/', 0, CAST('{"type":"terminal.status","seq":20,"at":"2026-11-29T09:12:44.758996Z","address":"demo/a/1/","old":"running","new":"completed","reason":"commit 000000000000: what was done","incarnation":1}' AS BLOB));
INSERT INTO fact VALUES (21, 'demo', 'demo/a/', 0, CAST('{"type":"task.status","seq":21,"at":"2026-11-29T09:12:44.758996Z","address":"demo/a/","old":"running","new":"completed","reason":"commit 000000000000: what was done"}' AS BLOB));
INSERT INTO fact VALUES (22, 'demo', 'demo/a/1/', 1, CAST('{"type":"terminal.exited","seq":22,"at":"2026-11-29T09:12:44.761170Z","address":"demo/a/1/","incarnation":1,"kind":"exited","status":0,"offset":0,"leftovers":0,"screen":"the last screen","unsure":0}' AS BLOB));
INSERT INTO fact VALUES (23, 'demo', 'demo/b/', 1, CAST('{"type":"commit.seen","seq":23,"at":"2026-11-29T09:12:44.764306Z","address":"demo/b/","branch":"b","commit":"0000000000000000000000000000000000000002","subject":"what was done","author":"","verdict":"done","issues":"","names":{},"problem":"","written":""}' AS BLOB));
INSERT INTO fact VALUES (24, 'demo', 'demo/b/1/', 0, CAST('{"type":"terminal.status","seq":24,"at":"2026-11-29T09:12:44.765556Z","address":"demo/b/1/","old":"running","new":"completed","reason":"commit 000000000000: what was done","incarnation":1}' AS BLOB));
INSERT INTO fact VALUES (25, 'demo', 'demo/b/', 0, CAST('{"type":"task.status","seq":25,"at":"2026-11-29T09:12:44.765556Z","address":"demo/b/","old":"running","new":"completed","reason":"commit 000000000000: what was done"}' AS BLOB));
INSERT INTO fact VALUES (26, 'demo', 'demo/b/1/', 1, CAST('{"type":"terminal.exited","seq":26,"at":"2026-11-29T09:12:44.766907Z","address":"demo/b/1/","incarnation":1,"kind":"exited","status":0,"offset":0,"leftovers":0,"screen":"the last screen","unsure":0}' AS BLOB));
INSERT INTO fact VALUES (27, 'demo', 'demo/', 0, CAST('{"type":"workflow.status","seq":27,"at":"2026-11-29T09:12:44.768159Z","address":"demo/","old":"running","new":"merging","reason":"every task has completed"}' AS BLOB));
INSERT INTO fact VALUES (28, 'demo', 'demo/', 1, CAST('{"type":"merge.conflict","seq":28,"at":"2026-11-29T09:12:44.769418Z","address":"demo/","files":["a.py"],"branch":"feat/a","against":[],"worktree":"/tmp/scratch","start":""}' AS BLOB));
INSERT INTO fact VALUES (29, 'demo', 'demo/merge/', 0, CAST('{"type":"terminal.status","seq":29,"at":"2026-11-29T09:12:44.770777Z","address":"demo/merge/","old":null,"new":"not_started","reason":"submitted","incarnation":0}' AS BLOB));
INSERT INTO fact VALUES (30, 'demo', 'demo/merge/', 0, CAST('{"type":"terminal.status","seq":30,"at":"2026-11-29T09:12:44.770777Z","address":"demo/merge/","old":"not_started","new":"starting","reason":"its turn to be started","incarnation":1}' AS BLOB));
INSERT INTO fact VALUES (31, 'demo', 'demo/merge/', 1, CAST('{"type":"terminal.ready","seq":31,"at":"2026-11-29T09:12:44.772447Z","address":"demo/merge/","incarnation":1,"seconds":0.0}' AS BLOB));
INSERT INTO fact VALUES (32, 'demo', 'demo/merge/', 0, CAST('{"type":"terminal.status","seq":32,"at":"2026-11-29T09:12:44.773876Z","address":"demo/merge/","old":"starting","new":"waiting","reason":"ready","incarnation":1}' AS BLOB));
INSERT INTO fact VALUES (33, 'demo', 'demo/merge/', 0, CAST('{"type":"terminal.status","seq":33,"at":"2026-11-29T09:12:44.773876Z","address":"demo/merge/","old":"waiting","new":"running","reason":"gets its instruction","incarnation":1}' AS BLOB));
INSERT INTO fact VALUES (34, 'demo', 'demo/merge/', 1, CAST('{"type":"commit.seen","seq":34,"at":"2026-11-29T09:12:44.775226Z","address":"demo/merge/","branch":"b","commit":"0000000000000000000000000000000000000003","subject":"what was done","author":"","verdict":"done","issues":"","names":{},"problem":"","written":""}' AS BLOB));
