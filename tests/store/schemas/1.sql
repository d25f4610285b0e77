-- A database of schema 1 as a gateway of that time left it: six tasks in six states, with secrets,
-- callbacks that are owed, a first answer that is remembered, and a refused word. Never edited.
BEGIN TRANSACTION;
CREATE TABLE api_keys (
    id TEXT PRIMARY KEY NOT NULL,
    hash BLOB NOT NULL UNIQUE,         -- SHA-256; the key itself is never stored
    scope TEXT NOT NULL CHECK (scope IN ('tasks', 'read', 'launcher', 'ops')),
    project TEXT NOT NULL,
    name TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    revoked_at INTEGER
) STRICT, WITHOUT ROWID;
INSERT INTO "api_keys" VALUES('key_0',X'B6CF6F1DD60CD966763E97FC7FCB069BE301962C70AC75AEC3E854D43482DEA6','tasks','default','tasks',1000,NULL);
INSERT INTO "api_keys" VALUES('key_01m87q5revf9w8svnds3cqvb4s',X'B3863D701B7953713C12C168E0E7B051321B590BFEC1D66689891E42D0E30DF4','tasks','default','vercel',1795555516891,NULL);
INSERT INTO "api_keys" VALUES('key_1',X'A516F545C094D5B101B67E3CF7532A46131971091068F9D599FF0C275A2B2AE5','read','default','read',1000,NULL);
INSERT INTO "api_keys" VALUES('key_2',X'F9FF7B2E1B9F0B8AFFC268F57F61673E6C0EB6C3B4409D005760F1D535B8505E','launcher','default','launcher',1000,NULL);
INSERT INTO "api_keys" VALUES('key_3',X'8897A3781A3BFF98C5684037617E1A1306ECD6A0E31E4CA32340FBC973BDB0C0','ops','default','ops',1000,NULL);
INSERT INTO "api_keys" VALUES('key_4',X'9C6F4447EC1F567E4455068F1DB6E9E07D49490C5216F79FF0D5E42A9672BC0F','tasks','elsewhere','other',1000,NULL);
CREATE TABLE attempts (                -- a row appears at the first claim
    task_id TEXT NOT NULL REFERENCES tasks (id),
    number INTEGER NOT NULL,
    key_id TEXT NOT NULL,              -- master key of its signing key, for life
    opened_at INTEGER NOT NULL,
    provider TEXT,
    realm TEXT,                        -- only launchers of this realm may judge its sandbox
    sandbox TEXT,                      -- JSON
    launches INTEGER NOT NULL,
    queue_left INTEGER,
    tried_at INTEGER,                  -- NULL: no sandbox was ever made
    create_before INTEGER,
    spoke_at INTEGER,
    gone_at INTEGER,
    missing_since INTEGER,
    spool_offset INTEGER NOT NULL,     -- bytes
    inspections INTEGER NOT NULL,
    refused INTEGER NOT NULL,
    ended_at INTEGER,
    outcome TEXT,
    error TEXT,                        -- JSON
    usage TEXT NOT NULL,               -- JSON
    PRIMARY KEY (task_id, number)
) STRICT, WITHOUT ROWID;
INSERT INTO "attempts" VALUES('task_01m87q5rf1epfvkdt2z00d4vb6',1,'k1',1795555516902,'local','here','{"name":"slipgate-5rf1epfvkdt2z00d4vb6-1","provider":"local","realm":"here","id":"id-slipgate-5rf1epfvkdt2z00d4vb6-1","state":"destroyed"}',1,899996,1795555516910,1795555546910,1795555516917,1795555516936,NULL,0,0,1,1795555516929,'completed',NULL,'{"input_tokens":10,"output_tokens":5,"cost_usd":0.1,"turns":1}');
INSERT INTO "attempts" VALUES('task_01m87q5rgae75vf8rn7s35j29r',1,'k1',1795555516940,'local','here','{"name":"slipgate-5rgae75vf8rn7s35j29r-1","provider":"local","realm":"here","id":"id-slipgate-5rgae75vf8rn7s35j29r-1","state":"destroyed"}',1,899998,1795555516942,1795555546942,1795555516946,1795555516952,NULL,0,0,0,1795555516948,'failed','{"stage":"agent","code":"boom","message":"no","retryable":true}','{}');
INSERT INTO "attempts" VALUES('task_01m87q5rgae75vf8rn7s35j29r',2,'k1',1795555516954,'local','here','{"name":"slipgate-5rgae75vf8rn7s35j29r-2","provider":"local","realm":"here","id":"id-slipgate-5rgae75vf8rn7s35j29r-2","state":"started"}',1,899998,1795555516957,1795555546957,NULL,NULL,NULL,0,0,0,NULL,NULL,NULL,'{}');
INSERT INTO "attempts" VALUES('task_01m87q5rh1f1qtdsweh2hbmnpb',1,'k1',1795555516963,'local','here','{"name":"slipgate-5rh1f1qtdsweh2hbmnpb-1","provider":"local","realm":"here","id":"id-slipgate-5rh1f1qtdsweh2hbmnpb-1","state":"destroying"}',1,899998,1795555516965,1795555546965,1795555516969,NULL,NULL,0,0,0,1795555516969,'needs_review',NULL,'{}');
INSERT INTO "attempts" VALUES('task_01m87q5rhbegva218x9fxvgv7y',1,'k1',1795555516972,NULL,NULL,NULL,1,899999,NULL,NULL,NULL,NULL,NULL,0,0,0,NULL,NULL,NULL,'{}');
CREATE TABLE deliveries (
    endpoint_id TEXT NOT NULL REFERENCES endpoints (id),
    seq INTEGER NOT NULL REFERENCES events (seq),
    task_id TEXT NOT NULL,
    task_seq INTEGER NOT NULL,
    status TEXT NOT NULL CHECK (status IN (
        'pending', 'delivered', 'dead', 'superseded', 'held')),
    attempts INTEGER NOT NULL,
    next_attempt_at INTEGER,
    body TEXT,                         -- rendered at the first attempt, kept byte for byte
    PRIMARY KEY (endpoint_id, seq),
    CONSTRAINT pending_is_due CHECK ((status = 'pending') = (next_attempt_at IS NOT NULL))
) STRICT, WITHOUT ROWID;
INSERT INTO "deliveries" VALUES('ep_b3k3lg72uqr2jtk62bl7tjrwaq',1,'task_01m87q5rf1epfvkdt2z00d4vb6',1,'pending',1,1795555522693,'{"type":"task.created","timestamp":"2026-11-24T21:25:16.898Z","data":{"event":{"id":"evt_01m87q5rf2e008000000000001","seq":1,"taskId":"task_01m87q5rf1epfvkdt2z00d4vb6","taskSeq":1,"attempt":1,"type":"task.created","at":"2026-11-24T21:25:16.898Z","applied":true,"reason":null,"source":"api","data":{"project":"default","repoUrl":"https://github.com/acme/widgets","prompt":"Add /health","title":"Add /health","branchName":"slipgate/task_01m87q5rf1epfvkdt2z00d4vb6","snapshot":"slipgate-agent-1","agent":{"model":"gpt-5","maxCostUsd":3.0},"timeouts":{"queueSeconds":900,"heartbeatSeconds":300,"runSeconds":3600},"callbackUrl":"https://app.example/api/hook?***","endpointId":"ep_b3k3lg72uqr2jtk62bl7tjrwaq","metadata":{"userId":"u_1"}}},"task":{"id":"task_01m87q5rf1epfvkdt2z00d4vb6","project":"default","status":"queued","flag":null,"attempt":1,"maxAttempts":1,"title":"Add /health","repoUrl":"https://github.com/acme/widgets","baseBranch":null,"branchName":"slipgate/task_01m87q5rf1epfvkdt2z00d4vb6","prompt":"Add /health","agent":{"engine":"mini","modelProvider":"openai","model":"gpt-5","maxTurns":60,"maxCostUsd":3.0,"command":null},"snapshot":"slipgate-agent-1","provider":null,"sandbox":null,"stage":null,"message":null,"prUrl":null,"commitSha":null,"error":null,"usage":{"inputTokens":0,"outputTokens":0,"costUsd":0.0,"turns":0},"cancelRequestedAt":null,"createdAt":"2026-11-24T21:25:16.898Z","startedAt":null,"finishedAt":null,"updatedAt":"2026-11-24T21:25:16.898Z","nextDeadline":{"at":"2026-11-24T21:40:16.898Z","what":"queue"},"taskSeq":1,"metadata":{"userId":"u_1"}}}}');
INSERT INTO "deliveries" VALUES('ep_b3k3lg72uqr2jtk62bl7tjrwaq',2,'task_01m87q5rf1epfvkdt2z00d4vb6',2,'pending',0,1795555516902,NULL);
INSERT INTO "deliveries" VALUES('ep_b3k3lg72uqr2jtk62bl7tjrwaq',3,'task_01m87q5rf1epfvkdt2z00d4vb6',3,'pending',0,1795555516910,NULL);
INSERT INTO "deliveries" VALUES('ep_b3k3lg72uqr2jtk62bl7tjrwaq',4,'task_01m87q5rf1epfvkdt2z00d4vb6',4,'pending',0,1795555516913,NULL);
INSERT INTO "deliveries" VALUES('ep_b3k3lg72uqr2jtk62bl7tjrwaq',5,'task_01m87q5rf1epfvkdt2z00d4vb6',5,'pending',0,1795555516913,NULL);
INSERT INTO "deliveries" VALUES('ep_b3k3lg72uqr2jtk62bl7tjrwaq',6,'task_01m87q5rf1epfvkdt2z00d4vb6',6,'pending',0,1795555516917,NULL);
INSERT INTO "deliveries" VALUES('ep_b3k3lg72uqr2jtk62bl7tjrwaq',7,'task_01m87q5rf1epfvkdt2z00d4vb6',7,'pending',0,1795555516920,NULL);
INSERT INTO "deliveries" VALUES('ep_b3k3lg72uqr2jtk62bl7tjrwaq',9,'task_01m87q5rf1epfvkdt2z00d4vb6',9,'pending',0,1795555516925,NULL);
INSERT INTO "deliveries" VALUES('ep_b3k3lg72uqr2jtk62bl7tjrwaq',10,'task_01m87q5rf1epfvkdt2z00d4vb6',10,'pending',0,1795555516927,NULL);
INSERT INTO "deliveries" VALUES('ep_b3k3lg72uqr2jtk62bl7tjrwaq',11,'task_01m87q5rf1epfvkdt2z00d4vb6',11,'pending',0,1795555516929,NULL);
INSERT INTO "deliveries" VALUES('ep_b3k3lg72uqr2jtk62bl7tjrwaq',12,'task_01m87q5rf1epfvkdt2z00d4vb6',12,'pending',0,1795555516929,NULL);
INSERT INTO "deliveries" VALUES('ep_b3k3lg72uqr2jtk62bl7tjrwaq',14,'task_01m87q5rf1epfvkdt2z00d4vb6',14,'pending',0,1795555516936,NULL);
CREATE TABLE delivery_attempts (
    endpoint_id TEXT NOT NULL,
    seq INTEGER NOT NULL,
    number INTEGER NOT NULL,
    at INTEGER NOT NULL,
    trigger TEXT NOT NULL CHECK (trigger IN ('auto', 'manual', 'replay')),
    status INTEGER,                    -- HTTP, NULL if there was no answer
    reason TEXT,
    duration_ms INTEGER NOT NULL,
    key_id TEXT,
    response_body TEXT,
    PRIMARY KEY (endpoint_id, seq, number)
) STRICT, WITHOUT ROWID;
INSERT INTO "delivery_attempts" VALUES('ep_b3k3lg72uqr2jtk62bl7tjrwaq',1,1,1795555516902,'auto',NULL,'ConnectError',4,'k1',NULL);
CREATE TABLE endpoints (
    id TEXT PRIMARY KEY NOT NULL,
    project TEXT NOT NULL,
    origin TEXT NOT NULL,
    implicit INTEGER NOT NULL CHECK (implicit IN (0, 1)),
    enabled INTEGER NOT NULL CHECK (enabled IN (0, 1)),
    disabled_reason TEXT,
    failing_since INTEGER,
    created_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
INSERT INTO "endpoints" VALUES('ep_b3k3lg72uqr2jtk62bl7tjrwaq','default','https://app.example',1,1,NULL,NULL,1795555516898);
CREATE TABLE events (
    seq INTEGER PRIMARY KEY,           -- order of numbers = order of commits
    task_id TEXT NOT NULL,
    task_seq INTEGER NOT NULL CHECK (task_seq >= 1),
    attempt INTEGER NOT NULL,
    type TEXT NOT NULL,
    at INTEGER NOT NULL,
    applied INTEGER NOT NULL CHECK (applied IN (0, 1)),
    reason TEXT,
    source TEXT NOT NULL,
    data TEXT NOT NULL,                -- JSON; of task.created, the whole request
    webhook_id TEXT,
    body_hash BLOB,
    CONSTRAINT refused_has_reason CHECK (applied = 1 OR reason IS NOT NULL)
) STRICT;
INSERT INTO "events" VALUES(1,'task_01m87q5rf1epfvkdt2z00d4vb6',1,1,'task.created',1795555516898,1,NULL,'api','{"project":"default","repoUrl":"https://github.com/acme/widgets","prompt":"Add /health","title":"Add /health","branchName":"slipgate/task_01m87q5rf1epfvkdt2z00d4vb6","snapshot":"slipgate-agent-1","agent":{"model":"gpt-5","maxCostUsd":3.0},"timeouts":{"queueSeconds":900,"heartbeatSeconds":300,"runSeconds":3600},"callbackUrl":"https://app.example/api/hook?***","endpointId":"ep_b3k3lg72uqr2jtk62bl7tjrwaq","metadata":{"userId":"u_1"}}',NULL,NULL);
INSERT INTO "events" VALUES(2,'task_01m87q5rf1epfvkdt2z00d4vb6',2,1,'task.launching',1795555516902,1,NULL,'launcher','{"launcherId":"l1","launch":1}',NULL,NULL);
INSERT INTO "events" VALUES(3,'task_01m87q5rf1epfvkdt2z00d4vb6',3,1,'sandbox.trying',1795555516910,1,NULL,'launcher','{"sandbox":{"name":"slipgate-5rf1epfvkdt2z00d4vb6-1","provider":"local","realm":"here","snapshot":"slipgate-agent-1"}}',NULL,NULL);
INSERT INTO "events" VALUES(4,'task_01m87q5rf1epfvkdt2z00d4vb6',4,1,'sandbox.created',1795555516913,1,NULL,'launcher','{"sandbox":{"name":"slipgate-5rf1epfvkdt2z00d4vb6-1","provider":"local","realm":"here","id":"id-slipgate-5rf1epfvkdt2z00d4vb6-1","state":"started"}}',NULL,NULL);
INSERT INTO "events" VALUES(5,'task_01m87q5rf1epfvkdt2z00d4vb6',5,1,'task.launched',1795555516913,1,NULL,'launcher','{"sandbox":{"name":"slipgate-5rf1epfvkdt2z00d4vb6-1","provider":"local","realm":"here","id":"id-slipgate-5rf1epfvkdt2z00d4vb6-1","state":"started"}}',NULL,NULL);
INSERT INTO "events" VALUES(6,'task_01m87q5rf1epfvkdt2z00d4vb6',6,1,'task.started',1795555516917,1,NULL,'agent','{"taskId":"task_01m87q5rf1epfvkdt2z00d4vb6","attempt":1,"scriptDigest":"d"}','msg_0',X'D690DF45F9720A2694A745251F6DDABF86EDA1534ACFB8A297E89CBFB1EA52BE');
INSERT INTO "events" VALUES(7,'task_01m87q5rf1epfvkdt2z00d4vb6',7,1,'task.progress',1795555516920,1,NULL,'agent','{"taskId":"task_01m87q5rf1epfvkdt2z00d4vb6","attempt":1,"stage":"agent","message":"turn 1 of 60"}','msg_1',X'F8FEDC83FD23DA5486728F2CD7A8B8BE75AADCAFD3C6525678CE26DD76B225D0');
INSERT INTO "events" VALUES(8,'task_01m87q5rf1epfvkdt2z00d4vb6',8,1,'task.log',1795555516923,1,NULL,'agent','{"taskId":"task_01m87q5rf1epfvkdt2z00d4vb6","attempt":1,"chunk":"hello\n","offset":0}','msg_2',X'86F0851478857DC3D2FBB4E8686276CF9BB72D286E40E6DC88E766B328EF38BD');
INSERT INTO "events" VALUES(9,'task_01m87q5rf1epfvkdt2z00d4vb6',9,1,'task.usage',1795555516925,1,NULL,'agent','{"taskId":"task_01m87q5rf1epfvkdt2z00d4vb6","attempt":1,"inputTokens":10,"outputTokens":5,"costUsd":0.1,"turns":1}','msg_3',X'7F78694F08B604F1310B5CEFEBBE03C8D06EA65A88ED8234392C02E4D58BC6AF');
INSERT INTO "events" VALUES(10,'task_01m87q5rf1epfvkdt2z00d4vb6',10,1,'task.pr_created',1795555516927,1,NULL,'agent','{"taskId":"task_01m87q5rf1epfvkdt2z00d4vb6","attempt":1,"prUrl":"https://github.com/acme/widgets/pull/1","branchName":"b","commitSha":"c0ffee","draft":false}','msg_4',X'623C96E3D3F3D5807C2B7E92E6D862BC160668C600FC6D5A589D0CD680A7A109');
INSERT INTO "events" VALUES(11,'task_01m87q5rf1epfvkdt2z00d4vb6',11,1,'task.completed',1795555516929,1,NULL,'agent','{"taskId":"task_01m87q5rf1epfvkdt2z00d4vb6","attempt":1,"prUrl":"https://github.com/acme/widgets/pull/1","branchName":"b","commitSha":"c0ffee","summary":"done","validation":[]}','msg_5',X'1472BB70A3F39529A5C9285A77AC38C8319E6D54BFBB41258DCE416DEE40774E');
INSERT INTO "events" VALUES(12,'task_01m87q5rf1epfvkdt2z00d4vb6',12,1,'sandbox.state',1795555516929,1,NULL,'gateway','{"sandbox":{"name":"slipgate-5rf1epfvkdt2z00d4vb6-1","provider":"local","realm":"here","id":"id-slipgate-5rf1epfvkdt2z00d4vb6-1","state":"destroying"}}',NULL,NULL);
INSERT INTO "events" VALUES(13,'task_01m87q5rf1epfvkdt2z00d4vb6',13,1,'task.progress',1795555516932,0,'attempt_finished','agent','{"taskId":"task_01m87q5rf1epfvkdt2z00d4vb6","attempt":1,"stage":"agent","message":"late"}','msg_late',X'2A7CA94FA70846CAA11BA0770C8DFD6C07D7C8966CB45C96DBB752CC392B6701');
INSERT INTO "events" VALUES(14,'task_01m87q5rf1epfvkdt2z00d4vb6',14,1,'sandbox.destroyed',1795555516936,1,NULL,'gateway','{"sandbox":{"name":"slipgate-5rf1epfvkdt2z00d4vb6-1","provider":"local","realm":"here","id":"id-slipgate-5rf1epfvkdt2z00d4vb6-1","state":"destroyed"}}',NULL,NULL);
INSERT INTO "events" VALUES(15,'task_01m87q5rgae75vf8rn7s35j29r',1,1,'task.created',1795555516938,1,NULL,'api','{"project":"default","repoUrl":"https://github.com/acme/widgets","prompt":"Add /health","title":"Add /health","branchName":"slipgate/task_01m87q5rgae75vf8rn7s35j29r","snapshot":"slipgate-agent-1","agent":{"model":"gpt-5","maxCostUsd":3.0},"timeouts":{"queueSeconds":900,"heartbeatSeconds":300,"runSeconds":3600},"maxAttempts":2,"concurrencyKey":"acme/widgets"}',NULL,NULL);
INSERT INTO "events" VALUES(16,'task_01m87q5rgae75vf8rn7s35j29r',2,1,'task.launching',1795555516940,1,NULL,'launcher','{"launcherId":"l1","launch":1}',NULL,NULL);
INSERT INTO "events" VALUES(17,'task_01m87q5rgae75vf8rn7s35j29r',3,1,'sandbox.trying',1795555516942,1,NULL,'launcher','{"sandbox":{"name":"slipgate-5rgae75vf8rn7s35j29r-1","provider":"local","realm":"here","snapshot":"slipgate-agent-1"}}',NULL,NULL);
INSERT INTO "events" VALUES(18,'task_01m87q5rgae75vf8rn7s35j29r',4,1,'sandbox.created',1795555516944,1,NULL,'launcher','{"sandbox":{"name":"slipgate-5rgae75vf8rn7s35j29r-1","provider":"local","realm":"here","id":"id-slipgate-5rgae75vf8rn7s35j29r-1","state":"started"}}',NULL,NULL);
INSERT INTO "events" VALUES(19,'task_01m87q5rgae75vf8rn7s35j29r',5,1,'task.launched',1795555516944,1,NULL,'launcher','{"sandbox":{"name":"slipgate-5rgae75vf8rn7s35j29r-1","provider":"local","realm":"here","id":"id-slipgate-5rgae75vf8rn7s35j29r-1","state":"started"}}',NULL,NULL);
INSERT INTO "events" VALUES(20,'task_01m87q5rgae75vf8rn7s35j29r',6,1,'task.started',1795555516946,1,NULL,'agent','{"taskId":"task_01m87q5rgae75vf8rn7s35j29r","attempt":1}','m1',X'B4739602260B6BA09976A4CBF4C982EF4E82037844778CAEB049D0751CEFA160');
INSERT INTO "events" VALUES(21,'task_01m87q5rgae75vf8rn7s35j29r',7,1,'task.retried',1795555516948,1,NULL,'agent','{"attempt":2,"error":{"stage":"agent","code":"boom","message":"no","retryable":true},"word":{"taskId":"task_01m87q5rgae75vf8rn7s35j29r","attempt":1,"error":{"stage":"agent","code":"boom","message":"no","retryable":true}}}','m2',X'B7240D17CB554A8065534D825F484AC92244669953A2E0D8F66FC3E21ED24A5C');
INSERT INTO "events" VALUES(22,'task_01m87q5rgae75vf8rn7s35j29r',8,1,'sandbox.state',1795555516948,1,NULL,'gateway','{"sandbox":{"name":"slipgate-5rgae75vf8rn7s35j29r-1","provider":"local","realm":"here","id":"id-slipgate-5rgae75vf8rn7s35j29r-1","state":"destroying"}}',NULL,NULL);
INSERT INTO "events" VALUES(23,'task_01m87q5rgae75vf8rn7s35j29r',9,2,'task.stalled',1795555516948,1,NULL,'gateway','{"code":"cleanup_pending","detail":"the sandbox of attempt 1 is being destroyed"}',NULL,NULL);
INSERT INTO "events" VALUES(24,'task_01m87q5rgae75vf8rn7s35j29r',10,1,'sandbox.destroyed',1795555516952,1,NULL,'gateway','{"sandbox":{"name":"slipgate-5rgae75vf8rn7s35j29r-1","provider":"local","realm":"here","id":"id-slipgate-5rgae75vf8rn7s35j29r-1","state":"destroyed"}}',NULL,NULL);
INSERT INTO "events" VALUES(25,'task_01m87q5rgae75vf8rn7s35j29r',11,2,'task.recovered',1795555516952,1,NULL,'gateway','{"code":"cleanup_pending"}',NULL,NULL);
INSERT INTO "events" VALUES(26,'task_01m87q5rgae75vf8rn7s35j29r',12,2,'task.launching',1795555516954,1,NULL,'launcher','{"launcherId":"l1","launch":1}',NULL,NULL);
INSERT INTO "events" VALUES(27,'task_01m87q5rgae75vf8rn7s35j29r',13,2,'sandbox.trying',1795555516957,1,NULL,'launcher','{"sandbox":{"name":"slipgate-5rgae75vf8rn7s35j29r-2","provider":"local","realm":"here","snapshot":"slipgate-agent-1"}}',NULL,NULL);
INSERT INTO "events" VALUES(28,'task_01m87q5rgae75vf8rn7s35j29r',14,2,'sandbox.created',1795555516959,1,NULL,'launcher','{"sandbox":{"name":"slipgate-5rgae75vf8rn7s35j29r-2","provider":"local","realm":"here","id":"id-slipgate-5rgae75vf8rn7s35j29r-2","state":"started"}}',NULL,NULL);
INSERT INTO "events" VALUES(29,'task_01m87q5rgae75vf8rn7s35j29r',15,2,'task.launched',1795555516959,1,NULL,'launcher','{"sandbox":{"name":"slipgate-5rgae75vf8rn7s35j29r-2","provider":"local","realm":"here","id":"id-slipgate-5rgae75vf8rn7s35j29r-2","state":"started"}}',NULL,NULL);
INSERT INTO "events" VALUES(30,'task_01m87q5rh1f1qtdsweh2hbmnpb',1,1,'task.created',1795555516961,1,NULL,'api','{"project":"default","repoUrl":"https://github.com/acme/widgets","prompt":"Add /health","title":"Add /health","branchName":"slipgate/task_01m87q5rh1f1qtdsweh2hbmnpb","snapshot":"slipgate-agent-1","agent":{"model":"gpt-5","maxCostUsd":3.0},"timeouts":{"queueSeconds":900,"heartbeatSeconds":300,"runSeconds":3600}}',NULL,NULL);
INSERT INTO "events" VALUES(31,'task_01m87q5rh1f1qtdsweh2hbmnpb',2,1,'task.launching',1795555516963,1,NULL,'launcher','{"launcherId":"l1","launch":1}',NULL,NULL);
INSERT INTO "events" VALUES(32,'task_01m87q5rh1f1qtdsweh2hbmnpb',3,1,'sandbox.trying',1795555516965,1,NULL,'launcher','{"sandbox":{"name":"slipgate-5rh1f1qtdsweh2hbmnpb-1","provider":"local","realm":"here","snapshot":"slipgate-agent-1"}}',NULL,NULL);
INSERT INTO "events" VALUES(33,'task_01m87q5rh1f1qtdsweh2hbmnpb',4,1,'sandbox.created',1795555516967,1,NULL,'launcher','{"sandbox":{"name":"slipgate-5rh1f1qtdsweh2hbmnpb-1","provider":"local","realm":"here","id":"id-slipgate-5rh1f1qtdsweh2hbmnpb-1","state":"started"}}',NULL,NULL);
INSERT INTO "events" VALUES(34,'task_01m87q5rh1f1qtdsweh2hbmnpb',5,1,'task.launched',1795555516967,1,NULL,'launcher','{"sandbox":{"name":"slipgate-5rh1f1qtdsweh2hbmnpb-1","provider":"local","realm":"here","id":"id-slipgate-5rh1f1qtdsweh2hbmnpb-1","state":"started"}}',NULL,NULL);
INSERT INTO "events" VALUES(35,'task_01m87q5rh1f1qtdsweh2hbmnpb',6,1,'task.needs_review',1795555516969,1,NULL,'agent','{"taskId":"task_01m87q5rh1f1qtdsweh2hbmnpb","attempt":1,"branchName":"b","summary":"look","validation":[]}','m3',X'B3CFEC6F422508ACE4C4F43C073262E430179AB55ABBFD50F449C87F19BA3A84');
INSERT INTO "events" VALUES(36,'task_01m87q5rh1f1qtdsweh2hbmnpb',7,1,'sandbox.state',1795555516969,1,NULL,'gateway','{"sandbox":{"name":"slipgate-5rh1f1qtdsweh2hbmnpb-1","provider":"local","realm":"here","id":"id-slipgate-5rh1f1qtdsweh2hbmnpb-1","state":"destroying"}}',NULL,NULL);
INSERT INTO "events" VALUES(37,'task_01m87q5rhbegva218x9fxvgv7y',1,1,'task.created',1795555516971,1,NULL,'api','{"project":"default","repoUrl":"https://github.com/acme/widgets","prompt":"Add /health","title":"launching","branchName":"slipgate/task_01m87q5rhbegva218x9fxvgv7y","snapshot":"slipgate-agent-1","agent":{"model":"gpt-5","maxCostUsd":3.0},"timeouts":{"queueSeconds":900,"heartbeatSeconds":300,"runSeconds":3600}}',NULL,NULL);
INSERT INTO "events" VALUES(38,'task_01m87q5rhbegva218x9fxvgv7y',2,1,'task.launching',1795555516972,1,NULL,'launcher','{"launcherId":"l2","launch":1}',NULL,NULL);
INSERT INTO "events" VALUES(39,'task_01m87q5rhfe3vs8a90cc4pra1x',1,1,'task.created',1795555516975,1,NULL,'api','{"project":"default","repoUrl":"https://github.com/acme/widgets","prompt":"Add /health","title":"cancelled","branchName":"slipgate/task_01m87q5rhfe3vs8a90cc4pra1x","snapshot":"slipgate-agent-1","agent":{"model":"gpt-5","maxCostUsd":3.0},"timeouts":{"queueSeconds":900,"heartbeatSeconds":300,"runSeconds":3600}}',NULL,NULL);
INSERT INTO "events" VALUES(40,'task_01m87q5rhfe3vs8a90cc4pra1x',2,1,'task.cancel_requested',1795555516977,1,NULL,'api','{}',NULL,NULL);
INSERT INTO "events" VALUES(41,'task_01m87q5rhfe3vs8a90cc4pra1x',3,1,'task.cancelled',1795555516977,1,NULL,'gateway','{}',NULL,NULL);
INSERT INTO "events" VALUES(42,'task_01m87q5rhjeknazxbzaq2wdm0q',1,1,'task.created',1795555516979,1,NULL,'api','{"project":"default","repoUrl":"https://github.com/acme/widgets","prompt":"Add /health","title":"queued","branchName":"slipgate/task_01m87q5rhjeknazxbzaq2wdm0q","snapshot":"slipgate-agent-1","agent":{"model":"gpt-5","maxCostUsd":3.0},"timeouts":{"queueSeconds":900,"heartbeatSeconds":300,"runSeconds":3600},"priority":9}',NULL,NULL);
CREATE TABLE idempotency (
    project TEXT NOT NULL,
    operation TEXT NOT NULL,           -- method and path
    key TEXT NOT NULL,
    key_id TEXT NOT NULL,
    digest BLOB NOT NULL,              -- keyed hash of the decoded request
    answer TEXT NOT NULL,              -- the task as it stood in the first answer, JSON
    at INTEGER NOT NULL,
    PRIMARY KEY (project, operation, key)
) STRICT, WITHOUT ROWID;
INSERT INTO "idempotency" VALUES('default','POST /v1/tasks','same','k1',X'F380D801E417A21BFBA6560240DF9AE95966CFF83870C2ED6944CEFFD91CCF45','{"id":"task_01m87q5rhjeknazxbzaq2wdm0q","project":"default","status":"queued","attempt":1,"max_attempts":1,"seq":1,"created_at":1795555516979,"updated_at":1795555516979,"timeouts":{"queue":900,"heartbeat":300,"run":3600},"priority":9,"snapshot":"slipgate-agent-1","claimable_at":1795555516979,"clocks":{"queue":1795556416979}}',1795555516979);
CREATE TABLE jobs (
    id TEXT PRIMARY KEY NOT NULL,
    kind TEXT NOT NULL CHECK (kind IN ('create', 'inspect', 'destroy', 'sweep')),
    task_id TEXT REFERENCES tasks (id),
    attempt INTEGER,
    provider TEXT,
    realm TEXT,
    not_before INTEGER NOT NULL,
    lease INTEGER NOT NULL,            -- counts the claims: the fencing token
    leased_by TEXT,
    lease_expires_at INTEGER,
    renewed INTEGER NOT NULL CHECK (renewed IN (0, 1)),
    is_delegated INTEGER NOT NULL CHECK (is_delegated IN (0, 1)),
    offers INTEGER NOT NULL,
    closed_at INTEGER,
    answered_lease INTEGER
) STRICT, WITHOUT ROWID;
INSERT INTO "jobs" VALUES('job_01m87q5rf1epfvkdt2z00d4vb6-1-create','create','task_01m87q5rf1epfvkdt2z00d4vb6',1,NULL,NULL,0,1,NULL,NULL,0,0,0,1795555516913,1);
INSERT INTO "jobs" VALUES('job_01m87q5rf1epfvkdt2z00d4vb6-1-destroy','destroy','task_01m87q5rf1epfvkdt2z00d4vb6',1,'local','here',1795555516929,1,NULL,NULL,0,0,0,1795555516936,1);
INSERT INTO "jobs" VALUES('job_01m87q5rgae75vf8rn7s35j29r-1-create','create','task_01m87q5rgae75vf8rn7s35j29r',1,NULL,NULL,0,1,NULL,NULL,0,0,0,1795555516944,1);
INSERT INTO "jobs" VALUES('job_01m87q5rgae75vf8rn7s35j29r-1-destroy','destroy','task_01m87q5rgae75vf8rn7s35j29r',1,'local','here',1795555516948,1,NULL,NULL,0,0,0,1795555516952,1);
INSERT INTO "jobs" VALUES('job_01m87q5rgae75vf8rn7s35j29r-2-create','create','task_01m87q5rgae75vf8rn7s35j29r',2,NULL,NULL,0,1,NULL,NULL,0,0,0,1795555516959,1);
INSERT INTO "jobs" VALUES('job_01m87q5rh1f1qtdsweh2hbmnpb-1-create','create','task_01m87q5rh1f1qtdsweh2hbmnpb',1,NULL,NULL,0,1,NULL,NULL,0,0,0,1795555516967,1);
INSERT INTO "jobs" VALUES('job_01m87q5rh1f1qtdsweh2hbmnpb-1-destroy','destroy','task_01m87q5rh1f1qtdsweh2hbmnpb',1,'local','here',1795555516969,1,'l2',1795555576972,0,0,0,NULL,NULL);
INSERT INTO "jobs" VALUES('job_01m87q5rhbegva218x9fxvgv7y-1-create','create','task_01m87q5rhbegva218x9fxvgv7y',1,NULL,NULL,0,1,'l2',1795555576972,0,0,0,NULL,NULL);
CREATE TABLE launchers (
    id TEXT PRIMARY KEY NOT NULL,
    providers TEXT NOT NULL,           -- JSON, pairs of provider and realm
    capacity INTEGER NOT NULL,
    version TEXT NOT NULL,
    called_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
INSERT INTO "launchers" VALUES('l1','[["local", "here"]]',4,'',1795555516963);
INSERT INTO "launchers" VALUES('l2','[["local", "here"]]',1,'',1795555516972);
CREATE TABLE ledger (
    one INTEGER PRIMARY KEY CHECK (one = 1),
    seq INTEGER NOT NULL,              -- number of the newest event
    instance_id TEXT NOT NULL,         -- label of every sandbox of this database
    pulse_at INTEGER                   -- when the reconciler last committed, to notice an outage
) STRICT;
INSERT INTO "ledger" VALUES(1,42,'ins_01m87q5rcnffebqd01kdrjxy5b',1795555516895);
CREATE TABLE projects (
    name TEXT PRIMARY KEY NOT NULL,
    key_id TEXT NOT NULL,
    callback_secret BLOB NOT NULL,     -- AES-GCM
    created_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
INSERT INTO "projects" VALUES('default','k1',X'9D600787A99072F86E2AAE0DDE07FB8F9A6FB9BA822E22147F2914F487D0C4FD8E5CA9A7849D589DB2BA51077ED3AC8A3C26CEEA6B587E628B9CF958',1795555516891);
CREATE TABLE task_metadata (
    task_id TEXT NOT NULL REFERENCES tasks (id),
    key TEXT NOT NULL,
    value TEXT NOT NULL,
    PRIMARY KEY (task_id, key)
) STRICT, WITHOUT ROWID;
INSERT INTO "task_metadata" VALUES('task_01m87q5rf1epfvkdt2z00d4vb6','userId','u_1');
CREATE TABLE task_secrets (            -- AES-GCM; associated data is table|column|task_id
    task_id TEXT PRIMARY KEY NOT NULL REFERENCES tasks (id),
    key_id TEXT NOT NULL,
    env BLOB,
    callback_url BLOB,
    env_erased_at INTEGER
) STRICT, WITHOUT ROWID;
INSERT INTO "task_secrets" VALUES('task_01m87q5rf1epfvkdt2z00d4vb6','k1',X'D1D1C6A1CCCF01B1DFB1AB40EE38B5483FA1DA1132F6196B73197E45DF977A7CB073C62C589431A66D98602F63',X'D5BDEBE9D2871B9CD0DE2D7DF52B3D04B6FAA8D89F6AA22F639B9C6C2D3D1E965BBF5CEDD7C083BF3C862F901E418FACE14F0C01A662ABDC7FF1E659344A243411',NULL);
INSERT INTO "task_secrets" VALUES('task_01m87q5rgae75vf8rn7s35j29r','k1',X'C60C34B7210E3AFBAAE75989D008202698958AFFB770CA2B5785EFA6959F2430D111F76E1F0EFBDB886D',NULL,NULL);
CREATE TABLE tasks (
    id TEXT PRIMARY KEY NOT NULL CHECK (id GLOB 'task_*'),
    project TEXT NOT NULL,
    status TEXT NOT NULL CHECK (
        status = 'queued' OR status = 'launching' OR status = 'running' OR status = 'completed'
        OR status = 'needs_review' OR status = 'failed' OR status = 'timed_out'
        OR status = 'cancelled' OR status = 'expired'),
    attempt INTEGER NOT NULL CHECK (attempt >= 1),
    max_attempts INTEGER NOT NULL CHECK (max_attempts >= 1),
    seq INTEGER NOT NULL,              -- task_seq of its newest event
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL,
    timeouts TEXT NOT NULL,            -- JSON, seconds
    on_stall TEXT NOT NULL CHECK (
        on_stall = 'flag' OR on_stall = 'fail' OR on_stall = 'retry'),
    priority INTEGER NOT NULL CHECK (priority BETWEEN 0 AND 9),
    snapshot TEXT NOT NULL,
    provider TEXT,                     -- only if ops named one
    concurrency_key TEXT,
    keep_sandbox INTEGER NOT NULL CHECK (keep_sandbox IN (0, 1)),
    endpoint_id TEXT,                  -- implicit endpoint of its callbackUrl
    claimable_at INTEGER,              -- from when its create job may be claimed
    started_at INTEGER,
    finished_at INTEGER,
    cancel_requested_at INTEGER,
    stage TEXT,
    message TEXT,
    pr_url TEXT,
    commit_sha TEXT,
    error TEXT,                        -- JSON
    usage TEXT NOT NULL,               -- JSON
    sandbox TEXT,                      -- JSON
    flags TEXT NOT NULL,               -- JSON
    clocks TEXT NOT NULL,              -- JSON, absolute moments
    due_at INTEGER,                    -- the earliest clock
    CONSTRAINT task_is_due CHECK (
        due_at IS NOT NULL OR status NOT IN ('queued', 'launching', 'running')),
    CONSTRAINT terminal_is_not_claimable CHECK (
        claimable_at IS NULL OR status = 'queued' OR status = 'launching' OR status = 'running')
) STRICT, WITHOUT ROWID;
INSERT INTO "tasks" VALUES('task_01m87q5rf1epfvkdt2z00d4vb6','default','completed',1,1,14,1795555516898,1795555516936,'{"queue":900,"heartbeat":300,"run":3600}','flag',5,'slipgate-agent-1',NULL,NULL,0,'ep_b3k3lg72uqr2jtk62bl7tjrwaq',NULL,1795555516913,1795555516929,NULL,'agent','done','https://github.com/acme/widgets/pull/1','c0ffee',NULL,'{"input_tokens":10,"output_tokens":5,"cost_usd":0.1,"turns":1}','{"name":"slipgate-5rf1epfvkdt2z00d4vb6-1","provider":"local","realm":"here","id":"id-slipgate-5rf1epfvkdt2z00d4vb6-1","state":"destroyed"}','[]','{}',NULL);
INSERT INTO "tasks" VALUES('task_01m87q5rgae75vf8rn7s35j29r','default','running',2,2,15,1795555516938,1795555516959,'{"queue":900,"heartbeat":300,"run":3600}','flag',5,'slipgate-agent-1',NULL,'acme/widgets',0,NULL,NULL,1795555516959,NULL,NULL,NULL,NULL,NULL,NULL,NULL,'{}','{"name":"slipgate-5rgae75vf8rn7s35j29r-2","provider":"local","realm":"here","id":"id-slipgate-5rgae75vf8rn7s35j29r-2","state":"started"}','[]','{"heartbeat":1795555816959,"progress":1795556416959,"run":1795559116959}',1795555816959);
INSERT INTO "tasks" VALUES('task_01m87q5rh1f1qtdsweh2hbmnpb','default','needs_review',1,1,7,1795555516961,1795555516969,'{"queue":900,"heartbeat":300,"run":3600}','flag',5,'slipgate-agent-1',NULL,NULL,0,NULL,NULL,1795555516967,1795555516969,NULL,NULL,'look',NULL,NULL,NULL,'{}','{"name":"slipgate-5rh1f1qtdsweh2hbmnpb-1","provider":"local","realm":"here","id":"id-slipgate-5rh1f1qtdsweh2hbmnpb-1","state":"destroying"}','[]','{"cleanup":1795555636969}',1795555636969);
INSERT INTO "tasks" VALUES('task_01m87q5rhbegva218x9fxvgv7y','default','launching',1,1,2,1795555516971,1795555516972,'{"queue":900,"heartbeat":300,"run":3600}','flag',5,'slipgate-agent-1',NULL,NULL,0,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,'{}',NULL,'[]','{"launch_slow":1795555816972,"launch_end":1795556116972}',1795555816972);
INSERT INTO "tasks" VALUES('task_01m87q5rhfe3vs8a90cc4pra1x','default','cancelled',1,1,3,1795555516975,1795555516977,'{"queue":900,"heartbeat":300,"run":3600}','flag',5,'slipgate-agent-1',NULL,NULL,0,NULL,NULL,NULL,1795555516977,1795555516977,NULL,NULL,NULL,NULL,NULL,'{}',NULL,'[]','{}',NULL);
INSERT INTO "tasks" VALUES('task_01m87q5rhjeknazxbzaq2wdm0q','default','queued',1,1,1,1795555516979,1795555516979,'{"queue":900,"heartbeat":300,"run":3600}','flag',9,'slipgate-agent-1',NULL,NULL,0,NULL,1795555516979,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,'{}',NULL,'[]','{"queue":1795556416979}',1795556416979);
CREATE INDEX tasks_due ON tasks (due_at) WHERE due_at IS NOT NULL;
CREATE INDEX tasks_claimable ON tasks (priority, claimable_at) WHERE claimable_at IS NOT NULL;
CREATE INDEX tasks_listed ON tasks (project, status, id);
CREATE INDEX tasks_keyed ON tasks (project, concurrency_key)
    WHERE concurrency_key IS NOT NULL AND status IN ('launching', 'running');
CREATE UNIQUE INDEX events_of_task ON events (task_id, task_seq);
CREATE UNIQUE INDEX events_heard ON events (task_id, attempt, webhook_id)
    WHERE webhook_id IS NOT NULL;
CREATE INDEX jobs_of_task ON jobs (task_id, attempt);
CREATE INDEX jobs_offered ON jobs (provider, realm, not_before)
    WHERE closed_at IS NULL AND leased_by IS NULL AND kind <> 'create';
CREATE INDEX jobs_leased ON jobs (lease_expires_at)
    WHERE closed_at IS NULL AND lease_expires_at IS NOT NULL;
CREATE INDEX task_metadata_found ON task_metadata (key, value, task_id);
CREATE INDEX deliveries_due ON deliveries (next_attempt_at) WHERE status = 'pending';
CREATE INDEX deliveries_lane ON deliveries (endpoint_id, task_id, task_seq)
    WHERE status = 'pending';
CREATE INDEX deliveries_of_task ON deliveries (task_id);
CREATE INDEX idempotency_age ON idempotency (at);
COMMIT;
PRAGMA user_version = 1;
