import { runAgent } from '#libs/hsm/agent';

/** One agent: forked by the supervisor, once per device and once more to make an embedded token. */
await runAgent();
