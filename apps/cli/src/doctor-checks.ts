import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync, statfsSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { type DeviceStatus, NOT_ENFORCED, type NotEnforced } from '#libs/hsm';
import { checkJournal, type DatabaseTimes, type JournalState, readDatabaseTimes, readJournalState, readRetention, type RetentionState } from '#libs/journal';
import { openDataSource, requireMigrated } from '#libs/platform';
import { type Bilingual, isAppError } from '#libs/platform/domain';
import { errorLines } from './terminal.js';

export type Verdict = 'ok' | 'note' | 'bad';

/** One line of the doctor. `note` is worth knowing and does not spoil the exit code. */
export interface Finding {
  readonly verdict: Verdict;
  readonly text: Bilingual;
}

export const finding = (verdict: Verdict, zh: string, en: string): Finding => ({ verdict, text: { zh, en } });

export function findingOf(error: unknown): Finding {
  if (!isAppError(error)) return finding('bad', `内部错误：${String(error)}`, `internal error: ${String(error)}`);
  const [zh, en, next] = errorLines(error);
  return finding('bad', `${zh}`, `${en} — ${next}`);
}

/** Programs that the product starts or its users need, and the Debian package of each. */
const TOOLS = [
  ['setpriv', '--version', 'util-linux', 'bad'],
  ['flock', '--version', 'util-linux', 'bad'],
  ['openssl', 'version', 'openssl', 'bad'],
  ['pdftotext', '-v', 'poppler-utils', 'note'],
] as const;

const FONT = '/usr/share/fonts/opentype/noto/NotoSansCJK-Regular.ttc';
const LEAST_FREE_GIB = 2;

export function checkMachine(checkout: string, home: string): Finding[] {
  return [checkRuntime(checkout), ...checkStateFolder(home), ...TOOLS.map(checkTool), checkFont()];
}

function checkRuntime(checkout: string): Finding {
  const { engines } = JSON.parse(readFileSync(join(checkout, 'package.json'), 'utf8')) as { engines: { node: string } };
  const [major = 0, minor = 0] = process.versions.node.split('.').map(Number);
  const right = major > 24 || (major === 24 && minor >= 11);
  return finding(right ? 'ok' : 'bad', `运行时 Node ${process.version}，OpenSSL ${process.versions.openssl}`, `runtime Node ${process.version} (wanted ${engines.node}), OpenSSL ${process.versions.openssl}`);
}

function checkStateFolder(home: string): Finding[] {
  if (!existsSync(home)) return [finding('note', `状态目录尚未建立：${home}`, `the state folder is not there yet: ${home}`)];
  const open = (statSync(home).mode & 0o077) !== 0;
  const { bavail, bsize } = statfsSync(home);
  const gib = (bavail * bsize) / 2 ** 30;
  return [
    finding(open ? 'note' : 'ok', `状态目录 ${home}${open ? '：其他用户可进入，建议 chmod 700' : ''}`, `state folder ${home}${open ? ': others may enter it, chmod 700 is better' : ''}`),
    finding(gib < LEAST_FREE_GIB ? 'bad' : 'ok', `剩余磁盘空间 ${gib.toFixed(1)} GiB`, `free disk space ${gib.toFixed(1)} GiB`),
  ];
}

function checkTool([tool, argument, debianPackage, missing]: (typeof TOOLS)[number]): Finding {
  const found = spawnSync(tool, [argument], { stdio: 'ignore' }).error === undefined;
  return found
    ? finding('ok', `程序 ${tool}`, `program ${tool}`)
    : finding(missing, `缺少程序 ${tool}：安装软件包 ${debianPackage}`, `the program ${tool} is missing: install ${debianPackage}`);
}

function checkFont(): Finding {
  return existsSync(FONT)
    ? finding('ok', '中文字体', 'Chinese font')
    : finding('bad', '缺少中文字体，无法输出报告：安装软件包 fonts-noto-cjk', 'the Chinese font for reports is missing: install fonts-noto-cjk');
}

/** Reachable, of this version, journal whole; what cannot be looked at after a failure is left out. */
export async function checkDatabase(ownerUrl: string): Promise<Finding[]> {
  const findings: Finding[] = [];
  try {
    const dataSource = await openDataSource({ url: ownerUrl, poolSize: 1 });
    try {
      const [row]: { version: string }[] = await dataSource.query("SELECT current_setting('server_version') AS version");
      findings.push(finding('ok', `PostgreSQL ${row?.version}`, `PostgreSQL ${row?.version}`));
      await requireMigrated(dataSource);
      findings.push(finding('ok', '数据库结构为本版本', 'the database is of this version'));
      const journal = await checkJournal(dataSource);
      findings.push(
        journal.firstBad === undefined
          ? finding('ok', `日志完整：${journal.entries} 条，待排序 ${journal.waiting} 条`, `the journal is whole: ${journal.entries} entries, ${journal.waiting} waiting`)
          : finding('bad', `日志损坏：${journal.firstBad}`, `the journal is damaged: ${journal.firstBad}; stop work and keep the database as it is`),
        ...journalFindings(await readJournalState(dataSource.manager)),
        retentionFinding(await readRetention(dataSource.manager)),
        ...clockFindings(new Date(), await readDatabaseTimes(dataSource.manager)),
      );
    } finally {
      await dataSource.destroy();
    }
  } catch (error) {
    findings.push(findingOf(error));
  }
  return findings;
}

/** How long records are kept, and whether somebody holds them longer. */
export function retentionFinding({ classes, holds, retiredYears }: RetentionState): Finding {
  const list = (language: 'zh' | 'en', month: string): string => classes.map((each) => `${each[language]} ${each.months} ${month}`).join(language === 'zh' ? '，' : ', ');
  return finding('ok', `保存期：${list('zh', '个月')}；保全 ${holds} 项；已清除年份 ${retiredYears.join(' ') || '无'}`, `kept for: ${list('en', 'months')}; ${holds} legal holds; years retired: ${retiredYears.join(' ') || 'none'}`);
}

/** What the processes tolerate, and what an idle database may need to answer. */
const CLOCK_TOLERANCE_SECONDS = 2;

/** This host's clock against the database's, and against the latest time that the journal has. */
export function clockFindings(host: Date, { now, latest }: DatabaseTimes): Finding[] {
  const secondsTo = (other: Date): number => (host.getTime() - other.getTime()) / 1000;
  const off = secondsTo(now);
  const sinceLatest = latest === undefined ? 0 : secondsTo(latest);
  const shown = off.toFixed(1);
  return [
    finding(Math.abs(off) > CLOCK_TOLERANCE_SECONDS ? 'bad' : 'ok', `本机时钟与数据库相差 ${shown} 秒`, `the clock of this host differs from the database’s by ${shown} s`),
    ...(sinceLatest < -CLOCK_TOLERANCE_SECONDS
      ? [finding('bad', `本机时钟比日志中最晚的时间落后 ${-sinceLatest} 秒：签名与特权操作被拒绝`, `the clock of this host is ${-sinceLatest} s behind the latest time in the journal: signing and privileged acts are refused`)]
      : []),
  ];
}

export const DEVICE_STATES: Record<DeviceStatus['state'], Bilingual & { verdict: Verdict }> = {
  up: { verdict: 'ok', zh: '正常', en: 'up' },
  starting: { verdict: 'note', zh: '启动中', en: 'starting' },
  missing: { verdict: 'bad', zh: '找不到令牌：检查模块、槽位与序列号', en: 'token missing: check module, slot and serial' },
  pinLatched: { verdict: 'bad', zh: 'PIN 被拒绝，已锁存：更正 PIN 文件后删除锁存文件', en: 'PIN refused and latched: correct the PIN file, then remove the latch' },
  moduleChanged: { verdict: 'bad', zh: 'PKCS#11 模块不是已固定的文件：恢复原文件或核对后修改 moduleSha256', en: 'the PKCS#11 module is not the pinned file: put it back, or compare and change moduleSha256' },
  tokenReplaced: { verdict: 'bad', zh: '不是本机已固定的令牌：放回原令牌，或双人核对后删除固定记录', en: 'not the token this host has pinned: put it back, or compare by two persons and remove the pin' },
  down: { verdict: 'bad', zh: '停止', en: 'down' },
  quarantined: { verdict: 'bad', zh: '标准答案错误，已隔离：查看日志并联系厂商', en: 'quarantined after a wrong known answer: read the log and call the vendor' },
};

export function deviceFindings(devices: readonly DeviceStatus[]): Finding[] {
  return devices.flatMap((device) => {
    const state = DEVICE_STATES[device.state];
    const reason = device.reason === '' ? '' : ` (${device.reason})`;
    return [
      finding(state.verdict, `密码机 ${device.device}（${device.profile}，${device.tokenSerial}）${state.zh}${reason}`, `HSM ${device.device} (${device.profile}, ${device.tokenSerial}) ${state.en}${reason}`),
      ...device.notEnforced.map((name) => {
        const text: Bilingual | undefined = Object.hasOwn(NOT_ENFORCED, name) ? NOT_ENFORCED[name as NotEnforced] : undefined;
        return finding('note', `${device.device}：${text?.zh ?? name}`, `${device.device}: ${text?.en ?? name}`);
      }),
    ];
  });
}

/** Longer than a privileged act waits: then such acts are refused. */
const STALE_SECONDS = 5;

/** Log key, waiting entries, last checkpoint, anchors: why privileged acts are refused, if they are. */
export function journalFindings({ logKeys, waiting, oldestWaitingSeconds, head, anchors }: JournalState): Finding[] {
  if (logKeys === 0) return [finding('note', `日志没有签名密钥：${waiting} 条在等待，特权操作被拒绝`, `the journal has no log key: ${waiting} entries wait and privileged acts are refused; ./hufu up makes one`)];
  const late = waiting > 0 && oldestWaitingSeconds > STALE_SECONDS;
  const oldest = `${Math.round(oldestWaitingSeconds)} s`;
  const place = head === undefined ? '-' : `${head.shard}/${head.size}`;
  const behind = anchors.filter(({ shard, size }) => head !== undefined && (shard !== head.shard || size !== head.size));
  return [
    late
      ? finding('note', `日志有 ${waiting} 条在等待，最早 ${oldest} 前：排序进程未运行或其密码机不可用`, `${waiting} journal entries wait, the oldest for ${oldest}: the sequencer does not run, or its HSM device is down`)
      : finding('ok', `日志待排序 ${waiting} 条`, `${waiting} journal entries wait for their place`),
    finding(head === undefined ? 'note' : 'ok', `最后的检查点 ${place}${age(head?.ageSeconds)}`, `last checkpoint ${place}${age(head?.ageSeconds)}`),
    ...(anchors.length < LEAST_ANCHORS ? [finding('note', `锚定点 ${anchors.length} 个，生产环境至少需要 ${LEAST_ANCHORS} 个`, `${anchors.length} anchors took checkpoints, production wants at least ${LEAST_ANCHORS}`)] : []),
    ...anchors.map((anchor) => {
      const text = `${anchor.name} ${anchor.shard}/${anchor.size}${age(anchor.ageSeconds)}`;
      return behind.includes(anchor) ? finding('note', `锚定点落后：${text}`, `anchor behind the log: ${text}`) : finding('ok', `锚定点 ${text}`, `anchor ${text}`);
    }),
  ];
}

const LEAST_ANCHORS = 2;
const age = (seconds: number | undefined): string => (seconds === undefined ? '' : ` (${Math.round(seconds)} s)`);
