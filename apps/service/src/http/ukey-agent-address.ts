/** Where the agent of a UKey listens on the operator's own machine, as a page names it. */
export class UkeyAgentAddress {
  readonly origin: string;

  constructor({ ukeyAgentPort }: { readonly ukeyAgentPort: number }) {
    this.origin = `http://127.0.0.1:${ukeyAgentPort}`;
  }
}
