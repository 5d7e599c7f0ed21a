import type { Clock } from '#libs/platform';
import type { Anchor, AnchorConfig } from './anchor.js';
import { FileAnchor } from './file-anchor.js';
import { SyslogAnchor } from './syslog-anchor.js';

export function openAnchor(config: AnchorConfig, clock: Clock): Anchor {
  return config.kind === 'file' ? new FileAnchor(config.name, config.path) : new SyslogAnchor(config, clock);
}
