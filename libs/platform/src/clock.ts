/** Where time comes from. Domain code takes a Date as an argument; only use cases ask the clock. */
export abstract class Clock {
  abstract now(): Date;
}

export class SystemClock extends Clock {
  override now(): Date {
    return new Date();
  }
}

/** A clock that a test sets by hand. */
export class FixedClock extends Clock {
  constructor(private at: Date) {
    super();
  }

  set(at: Date): void {
    this.at = at;
  }

  override now(): Date {
    return new Date(this.at);
  }
}
