"""The deterministic simulation: a whole installation in one thread, one clock and one seed.

Real: the rules (`gateway.domain`), the ledger with its batches, hints, reconciler, deliverer and
its post, the invariants of `slipgate verify`; the launcher's loop, client, lease and jobs.
Imitated, each in a file that says what it leaves out: SQLite (`tables`, `store`), the handlers
between HTTP and the ledger (`handlers`), the network, the agent of `snapshot/` (`agent`),
providers, receivers (`deliverer`), frontends and operators (`operations`). asyncio runs on
`scheduler`, whose clock jumps to whatever comes next; polls that would find nothing are left out,
so that days cost nothing.

One run in five has several gateways on one database (`server`, by the rules of PostgreSQL), behind
one address (`gateways`). Real there too: batches with their locks, numbers and notifications
(`shared_store`), and the sessions that share endpoints and choose who leads. The gateways hear of
each other late or lose their session, die, stop, and stand still in the middle of a batch.

A seed draws which faults its world has (`faults`), then every one of them, every delay and every
decision (`choices`). Then the faults stop, time goes on and all must settle. What must hold after
each commit and at the end is in `invariants`; a run that fails is made plain (`shrink`) and told
(`trace`). `mutants` are bugs planted one at a time: each must be found.
"""
