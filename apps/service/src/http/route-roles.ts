import type { RoleName } from '#libs/access';

/** `signedIn`, `public`: why no role is asked for. `fresh`: the person has proved who they are within the last minutes (step-up). */
export type RouteRule = (({ readonly roles: readonly RoleName[] } | { readonly signedIn: string }) & { readonly fresh?: true }) | { readonly public: string };

const roles = (...names: RoleName[]): RouteRule => ({ roles: names });
const fresh = (...names: RoleName[]): RouteRule => ({ roles: names, fresh: true });
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
  'POST /enrolments/options': open('a one-time code, given by hand, is what admits; it gives no right'),
  'POST /enrolments': open('a one-time code, given by hand, is what admits; it gives no right'),
  'POST /sign-in/challenges': open('nobody is signed in before signing in; the answer tells nothing about accounts'),
  'POST /sign-in/sessions': open('nobody is signed in before signing in; the key that answers the challenge admits'),
  'POST /sign-in/certificate': open('nobody is signed in before signing in; the certificate of the connection admits'),
  'GET /sign-in/session': own('everybody sees their own session'),
  'DELETE /sign-in/session': own('everybody ends their own session'),
  'POST /sign-in/proofs': own('everybody proves anew who they are'),
  'GET /sign-in': open('a page without data: whoever signs in is not signed in yet'),
  'GET /enrol': open('a page without data: whoever enrols a credential has a one-time code only'),
  'GET /approve': open('a page without data: what it shows it asks for as an operator'),
  'GET /pages/:file': open('parts of the pages: program text, style and the addresses of the sites'),
  'GET /access/operators': roles('systemAdministrator', 'securityAdministrator', 'auditAdministrator', 'auditor'),
  'GET /access/forecast': roles('securityAdministrator', 'auditAdministrator', 'keyAdministrator'),
  'GET /access/changes': roles('systemAdministrator', 'securityAdministrator', 'auditAdministrator', 'auditor'),
  'GET /access/notices': own('everybody is told what is done to their account'),
  'GET /approvals': own('what waits is listed for approvers of its policy, and for nobody else'),
  'GET /approvals/:subjectId': own('approvers of the policy; the room checks'),
  'POST /approvals/:subjectId': own('approvers of the policy, each with a signature of their own; the room checks'),
  'POST /approvals/:subjectId/refusals': own('one approver of the policy ends it; the room checks'),
  'POST /policies': fresh('securityAdministrator'),
  'GET /keys': roles('keyAdministrator', 'cryptoOperator', 'auditor'),
  'GET /keys/:keyLabel': roles('keyAdministrator', 'cryptoOperator', 'auditor'),
  'POST /keys': fresh('keyAdministrator'),
  'POST /stops': roles('securityAdministrator', 'auditAdministrator', 'keyAdministrator'),
  'POST /starts': fresh('keyAdministrator'),
  'POST /access/persons': roles('systemAdministrator'),
  'POST /access/persons/:personId/changes': roles('systemAdministrator'),
  'POST /access/changes/:changeId/confirmations': fresh('securityAdministrator', 'auditAdministrator'),
  'POST /access/changes/:changeId/refusals': own('the owner of an account may object to a change of it; others need an administrator, which the room checks'),
  'POST /access/operators/:operatorId/suspensions': fresh('securityAdministrator', 'auditAdministrator'),
  'DELETE /access/operators/:operatorId/sessions': roles('securityAdministrator', 'auditAdministrator'),
  'DELETE /access/operators/:operatorId/sign-in-lock': fresh('securityAdministrator'),
  'POST /access/persons/:personId/enrolment-codes': { signedIn: 'the owner of an account enrols a key for it; others need a system administrator, which the room checks', fresh: true },
  'POST /access/persons/:personId/withdrawals': fresh('securityAdministrator', 'auditAdministrator'),
  'POST /access/persons/:personId/leaves': own('everybody announces their own leave; that of others needs a security administrator, which the room checks'),
  'POST /access/persons/:personId/departures': roles('securityAdministrator'),
  'POST /access/hand-overs': own('whoever holds a post hands it over'),
  'POST /access/persons/:personId/hand-overs/:handOverId/receipts': own('the named successor, and nobody else, receives it'),
};

/** The name of a route in the table; HEAD is GET without the body. */
export function routeName(method: string, url: string): string {
  return `${method === 'HEAD' ? 'GET' : method} ${url}`;
}
