import type { RoleName } from '#libs/access';

/** `signedIn`, `public`: why no role is asked for. */
export type RouteRule = { readonly roles: readonly RoleName[] } | { readonly signedIn: string } | { readonly public: string };

const roles = (...names: RoleName[]): RouteRule => ({ roles: names });
const open = (reason: string): RouteRule => ({ public: reason });
const own = (reason: string): RouteRule => ({ signedIn: reason });

/**
 * Every route that the service serves, and who may call it. What does not stand here is refused; a test walks the real routes. Commands of
 * the local socket are not routes: the socket's owner alone may open it.
 */
export const ROUTE_ROLES: Readonly<Record<string, RouteRule>> = {
  'GET /health/live': open('the host asks whether the process answers; no data'),
  'GET /health/ready': open('the host asks whether it can serve; names of devices and their states only'),
  'POST /ocsp': open('RFC 6960: relying parties are anonymous, answers are signed'),
  'GET /ocsp/*': open('RFC 6960: relying parties are anonymous, answers are signed'),
  'GET /access/operators': roles('systemAdministrator', 'securityAdministrator', 'auditAdministrator', 'auditor'),
  'GET /access/forecast': roles('securityAdministrator', 'auditAdministrator', 'keyAdministrator'),
  'GET /access/changes': roles('systemAdministrator', 'securityAdministrator', 'auditAdministrator', 'auditor'),
  'GET /access/notices': own('everybody is told what is done to their account'),
  'GET /approvals': own('what waits is listed for approvers of its policy, and for nobody else'),
  'GET /approvals/:subjectId': own('approvers of the policy; the room checks'),
  'POST /approvals/:subjectId': own('approvers of the policy, each with a signature of their own; the room checks'),
  'POST /approvals/:subjectId/refusals': own('one approver of the policy ends it; the room checks'),
  'POST /policies': roles('securityAdministrator'),
  'GET /keys': roles('keyAdministrator', 'cryptoOperator', 'auditor'),
  'GET /keys/:keyLabel': roles('keyAdministrator', 'cryptoOperator', 'auditor'),
  'POST /keys': roles('keyAdministrator'),
  'POST /stops': roles('securityAdministrator', 'auditAdministrator', 'keyAdministrator'),
  'POST /starts': roles('keyAdministrator'),
  'POST /access/persons': roles('systemAdministrator'),
  'POST /access/persons/:personId/changes': roles('systemAdministrator'),
  'POST /access/changes/:changeId/confirmations': roles('securityAdministrator', 'auditAdministrator'),
  'POST /access/changes/:changeId/refusals': own('the owner of an account may object to a change of it; others need an administrator, which the room checks'),
  'POST /access/operators/:operatorId/suspensions': roles('securityAdministrator', 'auditAdministrator'),
  'POST /access/persons/:personId/withdrawals': roles('securityAdministrator', 'auditAdministrator'),
  'POST /access/persons/:personId/leaves': own('everybody announces their own leave; that of others needs a security administrator, which the room checks'),
  'POST /access/persons/:personId/departures': roles('securityAdministrator'),
  'POST /access/hand-overs': own('whoever holds a post hands it over'),
  'POST /access/persons/:personId/hand-overs/:handOverId/receipts': own('the named successor, and nobody else, receives it'),
};

/** The name of a route in the table; HEAD is GET without the body. */
export function routeName(method: string, url: string): string {
  return `${method === 'HEAD' ? 'GET' : method} ${url}`;
}
