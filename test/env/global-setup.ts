/** `./hufu test` starts PostgreSQL and builds dist/ first; without it, tests that need them say so by themselves. */
export default function setup(): void {
  process.env['TZ'] = 'UTC';
}
