import { runCustodianToken } from '#libs/hsm/agent';

/** One custodian's token: forked by a ceremony station, once per token. */
await runCustodianToken();
