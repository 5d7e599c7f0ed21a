/** A user that owns nothing (nobody): PostgreSQL refuses to run as root. */
export const DATABASE_UID = 65_534;

/**
 * As root: another user without root's rights, but with the right to pass folders that are 0700, since a state folder is
 * one. `no_setuid_fixup` keeps the capability over the change of user (capabilities(7), PR_SET_SECUREBITS).
 */
const AS_DATABASE_USER = [
  '--securebits=+no_setuid_fixup',
  `--reuid=${DATABASE_UID}`,
  `--regid=${DATABASE_UID}`,
  '--clear-groups',
  '--inh-caps=+dac_override',
  '--ambient-caps=+dac_override',
];

export type DeathSignal = 'KILL' | 'QUIT' | 'TERM';

/**
 * The command that runs `command` as a child which the kernel ends when this process ends, also by kill -9
 * (prctl(2) PR_SET_PDEATHSIG). The small sh closes the gap before the signal was set: a parent already gone is not $PPID.
 * The signal follows the *thread* that started the child: start from the main thread only.
 */
export function guardedCommand(options: {
  readonly leader: number;
  readonly onDeath: DeathSignal;
  readonly command: readonly string[];
  readonly asDatabaseUser?: boolean;
}): [string, ...string[]] {
  return [
    'setpriv',
    ...(options.asDatabaseUser === true ? AS_DATABASE_USER : []),
    `--pdeathsig=${options.onDeath}`,
    'sh',
    '-c',
    '[ "$PPID" = "$0" ] && exec "$@"',
    String(options.leader),
    ...options.command,
  ];
}
