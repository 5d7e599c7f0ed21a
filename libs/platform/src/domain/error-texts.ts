/** Texts in both languages. zh-CN is the source language of official words. */
export interface Bilingual {
  readonly zh: string;
  readonly en: string;
}

export type Retry = 'never' | 'same-request' | 'later';

export interface ErrorText {
  readonly status: number;
  readonly retry: Retry;
  readonly text: Bilingual;
  /** What the person who reads it does next. `{name}` is replaced from the error's details. */
  readonly next: Bilingual;
}

const define = (status: number, retry: Retry, zh: string, en: string, nextZh: string, nextEn: string): ErrorText => ({
  status,
  retry,
  text: { zh, en },
  next: { zh: nextZh, en: nextEn },
});

/** One table for all rooms: code → HTTP status, retry rule, text and next action. */
export const ERROR_TEXTS = {
  // platform
  INTERNAL: define(500, 'never', '内部错误', 'Internal error', '查看日志（请求号 {requestId}）并报告', 'Look at the log (request {requestId}) and report it'),
  REQUEST_INVALID: define(400, 'never', '请求无效：{reason}', 'Invalid request: {reason}', '按说明修改请求后重试', 'Mend the request as described and send it again'),
  CONFIG_INVALID: define(500, 'never', '配置无效：{reason}', 'Invalid configuration: {reason}', '修改配置文件 {file} 后重新启动', 'Mend the configuration file {file} and start again'),
  DATABASE_UNREACHABLE: define(503, 'later', '数据库无法连接：{reason}', 'The database cannot be reached: {reason}', '检查 DATABASE_URL 与数据库是否已启动，然后运行 ./hufu doctor', 'Check DATABASE_URL and that the database is running, then run ./hufu doctor'),
  DATABASE_NOT_MIGRATED: define(503, 'never', '数据库结构不是本版本', 'The database schema is not of this version', '运行 ./hufu migrate', 'Run ./hufu migrate'),
  SECRET_ALREADY_ZEROED: define(500, 'never', '机密数据已清零', 'The secret was already wiped', '重新输入', 'Enter it again'),
  DER_MALFORMED: define(400, 'never', 'DER 编码错误（偏移 {offset}）', 'Malformed DER at offset {offset}', '检查来源文件', 'Check where the bytes came from'),
  NOT_FOUND: define(404, 'never', '未找到：{what}', 'Not found: {what}', '检查编号', 'Check the identifier'),
  DISK_FULL: define(507, 'later', '磁盘已满：{path}', 'The disk is full: {path}', '清理磁盘空间后重试；未留下半成品', 'Free space and try again; nothing half-written was left'),
  PORT_IN_USE: define(500, 'never', '端口 {port} 已被占用', 'Port {port} is in use', '停止占用该端口的程序，或在配置中换一个端口', 'Stop the program that holds it, or configure another port'),
  ALREADY_RUNNING: define(409, 'later', '该状态目录已有程序在运行（进程 {pid}）', 'Another program already runs from this state folder (process {pid})', '先停止它，或用 HUFU_HOME 指定另一个目录', 'Stop it first, or set HUFU_HOME to another folder'),
  SERVICE_UNREACHABLE: define(503, 'later', '服务进程无法连接', 'The service cannot be reached', '用 ./hufu up 启动，或查看日志', 'Start it with ./hufu up, or look at its log'),
  // cli
  TOOL_MISSING: define(500, 'never', '缺少程序 {tool}', 'The program {tool} is missing', '安装软件包 {package}', 'Install the package {package}'),
  COMMAND_INVALID: define(400, 'never', '命令无效：{reason}', 'Invalid command: {reason}', '运行 ./hufu help 查看用法', 'Run ./hufu help to see how to call it'),
  COMMAND_ABSENT: define(501, 'never', '本版本没有命令 {command}', 'This version has no command {command}', '更新检出的代码', 'Update the checkout'),
  POSTGRES_FAILED: define(500, 'later', '内置 PostgreSQL 无法启动：{reason}', 'The embedded PostgreSQL did not start: {reason}', '查看日志 {log}', 'Look at the log {log}'),
  PROGRAM_ENDED: define(500, 'later', '程序 {program} 意外结束：{reason}', 'The program {program} ended by itself: {reason}', '查看日志 {log}，然后运行 ./hufu doctor', 'Look at the log {log}, then run ./hufu doctor'),
  PROGRAM_NOT_READY: define(500, 'later', '程序 {program} 在 {seconds} 秒内未就绪', 'The program {program} was not ready within {seconds} seconds', '查看日志 {log}', 'Look at the log {log}'),
  // journal
  JOURNAL_STALE: define(503, 'later', '日志没有新的已锚定检查点，特权操作被拒绝：{reasonZh}', 'The journal has no fresh anchored checkpoint, so privileged acts are refused: {reasonEn}', '排除原因后重试；./hufu doctor 显示日志、检查点与锚定点的状态', 'Remove the cause and try again; ./hufu doctor shows journal, checkpoint and anchors'),
  // hsm
  HSM_UNREACHABLE: define(503, 'later', '密码机服务无法连接', 'The HSM supervisor cannot be reached', '检查 hsm 进程：./hufu doctor', 'Check the hsm process: ./hufu doctor'),
  HSM_REFUSED: define(403, 'never', '密码机服务拒绝：{reason}', 'The HSM supervisor refused: {reason}', '该客户端无权对此类密钥执行该操作', 'This client may not run this recipe with this class of key'),
  HSM_TIMEOUT: define(504, 'later', '密码机 {device} 在期限内没有应答', 'HSM {device} did not answer in time', '检查设备状态', 'Check the device'),
  HSM_ERROR: define(502, 'later', '密码机 {device} 返回 {ckr}：{causeZh}', 'HSM {device} answered {ckr}: {causeEn}', '{actionZh}', '{actionEn}'),
  HSM_DEVICE_DOWN: define(503, 'later', '密码机 {device} 暂不可用：{reason}', 'HSM {device} is not available: {reason}', '代理进程自动重启；稍后重试，或运行 ./hufu doctor', 'Its agent is started again by itself; try again in a moment, or run ./hufu doctor'),
  HSM_ANSWER_WRONG: define(502, 'never', '密码机 {device} 的结果未通过复核：{what}', 'The answer of HSM {device} did not pass its check: {what}', '停用该设备并联系厂商', 'Take the device out of use and call the vendor'),
  APPROVAL_REQUIRED: define(403, 'never', '{recipe} 需要 {count} 名审批人签名批准', '{recipe} needs the signed approvals of {count} approvers', '提交审批请求并由审批人签名', 'Put the request before the approvers and let them sign it'),
  APPROVAL_INVALID: define(403, 'never', '审批无效：{reason}', 'An approval is not valid: {reason}', '核对审批人、请求内容与签名', 'Check the approver, the request and the signature'),
  APPROVAL_EXPIRED: define(403, 'never', '审批或请求已过期：{what}', 'Approval or request has expired: {what}', '重新提交请求并重新审批', 'Ask again and have it approved again'),
  APPROVAL_REFUSED: define(403, 'never', '审批人 {approver} 拒绝了请求：{reason}', 'Approver {approver} rejected the request: {reason}', '与审批人沟通后另行提交', 'Talk to the approver, then ask anew'),
  QUORUM_NOT_MET: define(403, 'never', '批准人数不足：需要 {needed}，有效 {valid}', 'Not enough approvals: {needed} needed, {valid} valid', '由更多符合角色要求的审批人签名', 'Let more approvers of the required roles sign'),
  REQUEST_REPLAYED: define(409, 'never', '请求 {requestId} 已经执行过一次', 'Request {requestId} was already executed once', '重新提交一个新请求', 'Make a new request'),
  REQUEST_DIFFERS: define(403, 'never', '批准的内容与要执行的操作不同：{what}', 'What was approved is not what would be done: {what}', '按实际操作重新提交审批', 'Have the actual operation approved'),
  TICKET_REQUIRED: define(403, 'never', '{recipe} 需要有效的批次票据', '{recipe} needs a batch ticket', '申请批次票据并由审批人签名', 'Ask for a batch ticket and have it signed'),
  TICKET_INVALID: define(403, 'never', '票据无效：{reason}', 'The ticket is not valid: {reason}', '申请新的票据', 'Ask for a new ticket'),
  TICKET_UNKNOWN: define(403, 'same-request', '密码机服务不认识摘要为 {digest} 的票据', 'The HSM service knows no ticket with the digest {digest}', '重新提交整张票据', 'Send the whole ticket again'),
  TICKET_EXPIRED: define(403, 'never', '票据 {ticketId} 不在有效期内', 'Ticket {ticketId} is not within its time', '申请新的票据', 'Ask for a new ticket'),
  TICKET_SPENT: define(403, 'never', '票据 {ticketId} 的次数不足：剩余 {left}，需要 {needed}', 'Ticket {ticketId} has {left} operations left, {needed} are needed', '申请新的票据', 'Ask for a new ticket'),
  POLICY_INVALID: define(500, 'never', '审批策略无效：{reason}', 'The approval policy is not valid: {reason}', '核对策略目录 {directory} 中的文件及其签名', 'Check the files of the policy folder {directory} and their signatures'),
  POLICY_CHANGED: define(500, 'never', '首份审批策略不是本机已固定的那一份', 'The first approval policy is not the one this host has pinned', '恢复原来的 1.json；更换审批人须由原法定人数签署新版本', 'Put the original 1.json back; approvers change by a new version signed by the old quorum'),
  TOKEN_SETUP_FAILED: define(500, 'never', '令牌 {device} 初始化失败：{reason}', 'Token {device} could not be initialised: {reason}', '检查模块路径与目录权限后重新启动；未留下半成品', 'Check the module path and the rights of the folder, then start again; nothing half-made was left'),
  KEY_ID_TAKEN: define(409, 'never', '设备 {device} 中已有标识为 {keyId} 的对象', 'Device {device} already holds an object under {keyId}', '换一个密钥标识重试', 'Repeat under a new key id'),
  KEY_ID_AMBIGUOUS: define(409, 'never', '设备 {device} 中标识 {keyId} 下有 {count} 个对象，已拒绝使用', 'Device {device} holds {count} objects under {keyId}; none is used', '销毁这些对象，用新的标识重新生成', 'Destroy them all and make the key anew under a new id'),
  KEY_LOAD_NOT_ALLOWED: define(422, 'never', '类别 {keyClass} 的密钥不得在类别 {controlClass} 的密钥保护下写入该卡', 'A key of class {keyClass} may not be loaded into this card under a key of class {controlClass}', '核对卡号与写入顺序：传输密钥下只能写入该卡的主控密钥', 'Check card and order of loading: under the transport key only the control key of the card is written'),
  KEY_PATH_DEPTH: define(422, 'never', '类别 {keyClass} 的密钥用于 {recipe} 时须有 {least} 至 {most} 级分散因子，实为 {actual} 级', 'A key of class {keyClass} has {least} to {most} factors when used for {recipe}, not {actual}', '核对密钥路径：卡片密钥不得作为其他密钥的上级', 'Check the key path: a key that works for a card is never the parent of another key'),
  HSM_CAPABILITY_MISSING: define(501, 'never', '密码机 {device} 不支持 {recipe}', 'HSM {device} cannot do {recipe} inside', '改用支持该配方的设备', 'Use a device that can'),
  TOKEN_MISSING: define(503, 'never', '找不到令牌：{device}', 'Token missing: {device}', '检查 HSM 配置中的模块、槽位与令牌序列号', 'Check module, slot and token serial in the HSM configuration'),
  PIN_REFUSED: define(503, 'never', '令牌 {device} 拒绝 PIN，已锁存，不再尝试', 'Token {device} refused the PIN; latched, it is not tried again', '更正 PIN 文件后删除锁存文件 {latch}', 'Correct the PIN file, then remove the latch {latch}'),
  KEY_NOT_FOUND: define(404, 'never', '设备 {device} 中没有密钥 {keyId}', 'Key {keyId} is not in device {device}', '运行密钥内容检查', 'Run a content check'),
  KEY_CLASS_MISMATCH: define(409, 'never', '密钥 {keyId} 的类别 {keyClass} 不允许 {recipe}', 'Key {keyId} of class {keyClass} may not be used for {recipe}', '选择用途相符的密钥', 'Choose a key of the right class'),
  FACTOR_RESERVED: define(422, 'never', '分散因子为保留值', 'The diversification factor is reserved', '全 0 与全 F 因子不可用于卡片密钥', 'All-zero and all-one factors are never used for card keys'),
  SIGN_TYPE_MISMATCH: define(422, 'never', '待签数据不是 {purpose}', 'The bytes to sign are not a {purpose}', '检查调用方', 'Check the caller'),
  WIRE_MALFORMED: define(400, 'never', '密码机通信帧错误：{reason}', 'Malformed frame on the HSM socket: {reason}', '检查两端版本是否一致', 'Check that both ends are of one version'),
  // organisations
  ORGANISATION_EXISTS: define(409, 'never', '机构或终端已登记：{reason}', 'Institution or terminal already registered: {reason}', '核对编码', 'Check the code'),
  ORGANISATION_UNKNOWN: define(422, 'never', '终端所属机构未登记：{reason}', 'The institution of a terminal is not registered: {reason}', '先登记机构', 'Register the institution first'),
  // keys
  KEY_UNKNOWN: define(404, 'never', '密钥台账中没有 {label}', 'No key {label} in the register', '核对密钥名称', 'Check the label'),
  KEY_LABEL_TAKEN: define(409, 'never', '密钥名称已存在：{label}', 'Key label already taken: {label}', '换一个名称', 'Choose another label'),
  KEY_STATE_ILLEGAL: define(409, 'never', '密钥状态不能从 {from} 变为 {to}', 'A key cannot go from {from} to {to}', '查看密钥状态图', 'See the state table of keys'),
  KEY_COPIES_MISSING: define(409, 'never', '密钥 {label} 只有 {copies} 个副本', 'Key {label} has only {copies} copies', '先复制到另一台密码机', 'Copy it to another HSM first'),
  KEY_COPY_DIFFERS: define(409, 'never', '密钥 {label} 在 {device} 中的校验值不一致，已作废该副本', 'Check values of key {label} differ in {device}; the copy was dropped', '检查密码机后重新复制', 'Check the HSM, then copy again'),
  // signature (CMS)
  CMS_SIGNATURE_MISMATCH: define(500, 'never', '签名与签名证书不符', 'The signature does not verify under the signer certificate', '核对签名密钥与证书是否成对', 'Check that the signing key and the certificate belong together'),
  // report
  REPORT_FONT_MISSING: define(500, 'never', '找不到报告字体：{path}', 'The report font is missing: {path}', '安装 fonts-noto-cjk（apt-get install fonts-noto-cjk）后重试', 'Install fonts-noto-cjk (apt-get install fonts-noto-cjk) and try again'),
  REPORT_INCONSISTENT: define(500, 'never', '报告数据前后矛盾：{reason}', 'The figures of the report contradict each other: {reason}', '不要使用该批次；对照结果文件核对数据库，重新运行重新验签', 'Do not use this run; compare the database with the result file and run the re-verification again'),
  REPORT_FONT_CHANGED: define(500, 'never', '报告字体与原报告不同：{expected} → {actual}', 'The report font is not the one of the first report: {expected} → {actual}', '安装原字体版本后重新生成，否则无法得到相同字节', 'Install the font version of the first report; other bytes would come out'),
  // pki
  CSR_MALFORMED: define(422, 'never', '证书申请（PKCS#10）编码错误（偏移 {offset}）', 'Malformed PKCS#10 request at offset {offset}', '重新生成证书申请', 'Make the request again'),
  POP_FAILED: define(422, 'never', '证书申请的自签名不正确：未证明持有私钥', 'The request is not signed by the key that it asks to be certified', '用待认证的密钥对重新签署申请', 'Sign the request again with the key pair to be certified'),
  KEY_NOT_CERTIFIABLE: define(422, 'never', '公钥无效或不属于可认证的算法', 'The public key is invalid or of no algorithm that is certified', '使用 P-256 或 RSA-2048 密钥', 'Use a P-256 or an RSA-2048 key'),
  KEY_ALGORITHM_REFUSED: define(422, 'never', '证书模板 {profile} 不允许密钥算法 {algorithm}', 'Profile {profile} does not allow keys of {algorithm}', '按模板更换密钥算法', 'Use a key algorithm of the profile'),
  PUBLIC_KEY_TAKEN: define(409, 'never', '该公钥已为另一持有者签发证书', 'This public key is certified for another holder', '每个持有者使用自己的密钥对；核查密钥来源', 'Every holder needs a pair of its own; find out where this one came from'),
  PROFILE_UNKNOWN: define(422, 'never', '没有证书模板 {profile}', 'No certificate profile {profile}', '核对模板名称（certs/profiles）', 'Check the name (certs/profiles)'),
  PROFILE_REFUSED_BY_ISSUER: define(422, 'never', 'CA {caId} 不能签发模板 {profile} 的证书', 'CA {caId} does not issue certificates of profile {profile}', '选择模板允许的 CA', 'Choose a CA that the profile allows'),
  HOLDER_INVALID: define(422, 'never', '持有者 {holder} 与证书模板 {profile} 不符', 'Holder {holder} does not fit profile {profile}', '核对机构编码、终端编号或卡号', 'Check the institution code, terminal or card number'),
  HOLDER_UNKNOWN: define(422, 'never', '持有者 {holder} 未登记', 'Holder {holder} is not registered', '先登记机构或终端', 'Register the institution or terminal first'),
  SUBJECT_INVALID: define(422, 'never', '证书主题名无效：{reason}', 'Invalid subject name: {reason}', '修改主题名', 'Mend the subject name'),
  VALIDITY_REFUSED: define(422, 'never', '证书有效期不合规：{reason}', 'Validity refused: {reason}', '有效期须在模板期限与 CA 有效期之内', 'Keep within the profile and within the validity of the CA'),
  CA_UNKNOWN: define(404, 'never', '没有 CA {caId}', 'No CA {caId}', '核对 CA 编号', 'Check the CA id'),
  CA_EXISTS: define(409, 'never', 'CA {caId} 已存在', 'CA {caId} exists already', '换一个编号与主题名', 'Choose another id and subject name'),
  CA_REVOKED: define(409, 'never', 'CA {caId} 的证书已撤销，不再签发', 'The certificate of CA {caId} is revoked; it certifies nothing more', '改用另一个 CA', 'Use another CA'),
  CERTIFICATE_UNKNOWN: define(404, 'never', 'CA {caId} 没有签发序列号为 {serial} 的证书', 'CA {caId} issued no certificate {serial}', '核对序列号', 'Check the serial number'),
  CERTIFICATE_REVOKED_ALREADY: define(409, 'never', '证书 {serial} 已撤销', 'Certificate {serial} is revoked already', '撤销记录不可更改；查看状态历史', 'A revocation is never changed; look at the status history'),
  REVOCATION_INVALID: define(422, 'never', '撤销申请无效：{reason}', 'Invalid revocation: {reason}', '核对撤销时间与原因', 'Check times and reason'),
  CRL_TIMES_INVALID: define(422, 'never', 'CRL 时间无效：{reason}', 'Invalid CRL times: {reason}', '核对本次与下次更新时间', 'Check thisUpdate and nextUpdate'),
  CERTIFICATE_MALFORMED: define(422, 'never', '第 {index} 份证书无法读取：{reason}', 'Certificate number {index} cannot be read: {reason}', '检查来源文件', 'Check where it came from'),
  CERTIFICATE_CONFLICT: define(409, 'never', '已有同一颁发者、同一序列号 {serial} 的另一份证书', 'Another certificate of the same issuer and serial {serial} is held already', '核查来源：同一颁发者不会重复使用序列号', 'Find out where it came from: an issuer never uses a serial twice'),
  FOREIGN_CRL_REFUSED: define(422, 'never', '第 {index} 份外部 CRL 被拒绝：{reason}', 'Foreign CRL number {index} refused: {reason}', '先导入其 CA 证书，核对签名', 'Import the certificate of its CA first, check the signature'),
  // cards
  CARD_NUMBER_INVALID: define(422, 'never', '卡号 {cardNumber} 格式或校验位不正确', 'Card number {cardNumber} is malformed or its check character is wrong', '核对卡号（GB 11714 校验位）', 'Check the number (check character of GB 11714)'),
  CARD_EXISTS: define(409, 'never', '卡已登记：{reason}', 'Card already registered: {reason}', '核对卡号', 'Check the number'),
  CARD_UNKNOWN: define(404, 'never', '卡 {cardNumber} 未登记', 'Card {cardNumber} is not registered', '核对卡号', 'Check the number'),
  CARD_STATUS_ILLEGAL: define(409, 'never', '卡 {cardNumber} 的状态不能从 {from} 变为 {to}', 'Card {cardNumber} cannot go from {from} to {to}', '查看卡状态图', 'See the state table of cards'),
  CARD_STATUS_CONFLICT: define(409, 'same-request', '卡状态刚被他人变更：{reason}', 'The status of a card was changed by somebody else meanwhile: {reason}', '查看卡状态后重新提交', 'Look at the card and send the request again'),
  CARD_TIME_INVALID: define(422, 'never', '卡 {cardNumber} 的生效时间早于其上一状态', 'The effective time of card {cardNumber} lies before its last status', '核对生效时间', 'Check the effective time'),
  // verification
  FILE_NOT_FOUND: define(404, 'never', '找不到结算文件：{name}', 'Settlement file not found: {name}', '检查路径与读取权限', 'Check the path and that it may be read'),
  FILE_EMPTY: define(422, 'never', '结算文件为空：{name}', 'Settlement file is empty: {name}', '请医疗机构重新上传', 'Ask the sender to upload it again'),
  FILE_NO_RECORDS: define(422, 'never', '结算文件中没有记录：{name}', 'Settlement file holds no records: {name}', '请医疗机构重新上传', 'Ask the sender to upload it again'),
  FILE_WRONG_ENCODING: define(422, 'never', '结算文件 {name} 的编码应为 {expected}，实为 {found}', 'Settlement file {name} should be {expected}, but is {found}', '按格式说明转换编码后由发送方重新签名上传', 'Have the sender export it in the right encoding, signed anew'),
  FILE_HEADER_WRONG: define(422, 'never', '结算文件 {name} 的首行不是规定的列名', 'The first line of settlement file {name} is not the prescribed header', '核对格式版本', 'Check the version of the format'),
  FILE_NOT_LINES: define(422, 'never', '文件 {name} 不是按行的文本', 'File {name} is not a text of lines', '检查是否选错文件', 'Check that it is the right file'),
  FILE_DUPLICATE: define(422, 'never', '同一文件提交了两次：{name}', 'The same file was given twice: {name}', '从清单中去掉重复的文件', 'Take the second one off the list'),
  RUN_UNKNOWN: define(404, 'never', '没有这次验签运行：{run}', 'No such verification run: {run}', '核对运行编号', 'Check the run id'),
  RUN_STATE_ILLEGAL: define(409, 'never', '验签运行不能从 {from} 变为 {to}', 'A verification run cannot go from {from} to {to}', '查看运行状态', 'Look at the state of the run'),
  EVIDENCE_MISSING: define(500, 'never', '证据文件缺失：{digest}', 'Evidence is missing: {digest}', '从备份恢复证据目录后重新运行', 'Restore the evidence folder from its backup, then run again'),
  EVIDENCE_DAMAGED: define(500, 'never', '证据文件已损坏：{digest}', 'Evidence is damaged: {digest}', '从备份恢复证据目录，并检查存储设备', 'Restore the evidence folder from its backup and check the storage'),
  CHUNK_DIGEST_DIFFERS: define(500, 'never', '同一分块两次计算结果不同（第 {pass} 遍，分块 {partition}），运行已停止', 'One chunk gave two results (pass {pass}, partition {partition}); the run was stopped', '保留现场：可能是内存或存储故障，或程序被改动', 'Keep everything as it is: memory or storage may be failing, or a program was changed'),
  CHUNK_QUEUE_MISSING: define(503, 'never', '数据库中没有任务队列', 'The chunk queue is not in the database', '运行 ./hufu migrate', 'Run ./hufu migrate'),
  // psam
  PSAM_VENDOR_EXISTS: define(409, 'never', 'PSAM 厂商 {vendor} 已登记', 'PSAM vendor {vendor} is registered already', '核对厂商编码', 'Check the code'),
  PSAM_VENDOR_UNKNOWN: define(422, 'never', 'PSAM 厂商 {vendor} 未登记', 'PSAM vendor {vendor} is not registered', '先登记备案厂商', 'Register the filed vendor first'),
  PSAM_VENDOR_NOT_FILED: define(422, 'never', '厂商 {vendor} 在 {day} 不在备案有效期内（{from} 至 {to}）', 'Vendor {vendor} has no valid filing on {day} ({from} to {to})', '只能从备案厂商购入空白 PSAM 卡；更新备案后再收货', 'Blanks come from filed vendors only; renew the filing first'),
  PSAM_LOT_EXISTS: define(409, 'never', '批次 {lot} 已入库', 'Lot {lot} was received already', '核对批次号', 'Check the lot number'),
  PSAM_LOT_UNKNOWN: define(404, 'never', '没有批次 {lot}', 'No lot {lot}', '先办理空白卡入库', 'Receive the blanks first'),
  PSAM_CHIP_KNOWN: define(409, 'never', '芯片序列号重复：{reason}', 'A chip serial was received before: {reason}', '整批未入库；隔离重复的卡并联系厂商', 'Nothing of the lot was entered; set the double card apart and ask the vendor'),
  PSAM_ORDER_EXISTS: define(409, 'never', '订单 {order} 已存在', 'Order {order} exists already', '换一个订单号', 'Choose another number'),
  PSAM_ORDER_INVALID: define(422, 'never', '订单无效：{reason}', 'Invalid order: {reason}', '修改订单后重新提交', 'Mend the order and place it again'),
  PSAM_ORDER_UNKNOWN: define(404, 'never', '没有订单 {order}', 'No order {order}', '核对订单号', 'Check the number'),
  PSAM_ORDER_COMPLETE: define(409, 'never', '订单 {order} 的卡已全部制作或在制', 'Every card of order {order} is made or in work', '不要再放卡；对账后关闭订单', 'Put in no more cards; reconcile and close the order'),
  PSAM_ORDER_CLOSED: define(409, 'never', '订单 {order} 已关闭', 'Order {order} is closed', '另下订单', 'Place another order'),
  PSAM_ORDER_OPEN: define(409, 'never', '订单 {order} 不能关闭：在制 {inWork}，缺 {missing}', 'Order {order} cannot be closed: {inWork} in work, {missing} missing', '完成或隔离在制的卡，补足缺少的卡', 'Finish or set apart the cards in work, make the missing ones'),
  PSAM_KEY_UNFIT: define(422, 'never', '密钥 {keyId} 不能用作 {use}：{reason}', 'Key {keyId} cannot serve as {use}: {reason}', '核对密钥台账中的类别、状态与所在密码机', 'Check class, state and device in the key register'),
  PSAM_CARD_UNKNOWN: define(404, 'never', '芯片 {chipSerial} 不在库存中', 'Chip {chipSerial} is not in stock', '外来卡：取出并上报', 'An alien card: take it out and report it'),
  PSAM_CARD_FOREIGN_LOT: define(409, 'never', '芯片 {chipSerial} 属于批次 {lot}，不属于本订单', 'Chip {chipSerial} is of lot {lot}, not of this order', '换用本订单批次的卡', 'Use a card of the lot of this order'),
  PSAM_ATR_UNKNOWN: define(422, 'never', '复位应答 {atr} 不是已知卡型', 'The answer to reset {atr} is of no known card', '检查卡型与卡片配置', 'Check card model and profile'),
  PSAM_STATE_ILLEGAL: define(409, 'never', 'PSAM 状态不能从 {from} 变为 {to}', 'A PSAM cannot go from {from} to {to}', '查看 PSAM 状态图', 'See the state table of PSAMs'),
  PSAM_STOCK_DIFFERS: define(500, 'never', '批次 {lot} 收支不平，差 {difference} 张', 'Lot {lot} does not balance: {difference} cards', '停止该批次的一切作业并盘点', 'Stop all work on this lot and count'),
  KEY_ALREADY_RELEASED: define(409, 'never', '芯片 {chipSerial} 的密钥位 {slot} 已针对另一随机数放出，卡已隔离', 'Key slot {slot} of chip {chipSerial} was released for another challenge; the card is quarantined', '取出该卡，按隔离卡处理', 'Take the card out and treat it as quarantined'),
  PSAM_CARD_GONE: define(502, 'never', '卡片连接中断：{reason}', 'The card is gone: {reason}', '检查读卡器；该卡已隔离，换一张卡', 'Check the reader; the card is quarantined, take another one'),
  PSAM_CARD_SILENT: define(504, 'never', '卡片在 {seconds} 秒内没有应答', 'The card did not answer within {seconds} seconds', '检查读卡器；该卡已隔离，换一张卡', 'Check the reader; the card is quarantined, take another one'),
  PSAM_CARD_REFUSED: define(502, 'never', '卡片在步骤 {step} 返回 {sw}：{zh}', 'The card answered {sw} at step {step}: {en}', '该卡已隔离；同一步骤反复失败时检查传输密钥与卡型', 'The card is quarantined; when the same step fails again, check transport key and card model'),
  PSAM_ANSWER_MALFORMED: define(502, 'never', '卡片在步骤 {step} 的应答格式错误', 'The answer of the card at step {step} is malformed', '该卡已隔离；检查读卡器', 'The card is quarantined; check the reader'),
  PSAM_PROOF_FAILED: define(502, 'never', '功能验证 {proof} 不符：应为 {expected}，实为 {actual}', 'Proof {proof} failed: expected {expected}, got {actual}', '该卡已隔离，不得发放', 'The card is quarantined; it must not be handed out'),
  PSAM_INTERRUPTED: define(500, 'never', '灌装中断，卡已隔离', 'Personalisation was interrupted; the card is quarantined', '换一张卡', 'Take another card'),
  REPORT_NOT_READY: define(409, 'later', '验签任务 {run} 的报告尚未生成', 'The report of run {run} is not made yet', '稍后再试，或查看任务状态', 'Try again later, or look at the run'),
  REPORT_DIFFERS: define(500, 'never', '任务 {run} 的数据已不能重现已签名的报告', 'The rows of run {run} no longer give the report that was signed', '保留现场，核对日志与数据库', 'Keep everything as it is, and check journal and database'),
  REPORT_SIGNER_MISSING: define(409, 'never', '任务 {run} 的报告签名证书不存在：{signer}', 'No valid certificate for the report signer {signer} of run {run}', '先签发报告签名证书', 'Issue a report signer certificate first'),
  // demo
  RUN_FAILED: define(500, 'never', '验签任务 {run} 失败：{reason}', 'Run {run} failed: {reason}', '查看 worker 日志', 'Look at the log of the worker'),
  DEMO_SERIES_FULL: define(409, 'never', '该状态目录已演示 {runs} 次', 'This state has seen {runs} demonstrations', '用 ./hufu demo --clean 重新开始', 'Start anew with ./hufu demo --clean'),
} as const satisfies Record<string, ErrorText>;

export type ErrorCode = keyof typeof ERROR_TEXTS;
