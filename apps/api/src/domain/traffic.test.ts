/** Windows of time as they may be written. */
import { describe, expect, it } from 'vitest';
import { BadWindow, parseDuration, windowOf } from './traffic.ts';

const now = new Date('2026-11-24T12:00:30.500Z');
const window = (from: string, to: string) => ({ from: new Date(from), to: new Date(to) });

describe('a duration', () => {
  it.each([
    ['PT1H', 3_600_000],
    ['P7D', 604_800_000],
    ['P1W', 604_800_000],
    ['P1DT2H3M4S', 93_784_000],
    ['15m', 900_000],
    ['24h', 86_400_000],
    ['7d', 604_800_000],
    ['90s', 90_000],
  ])('%s is read', (text, ms) => {
    expect(parseDuration(text)).toBe(ms);
  });

  it.each(['', 'P', 'PT', 'P1M', 'P1Y', '1', 'h', '1.5h', '-1h', '1h ', 'PT1H30', 'toString'])('%j is not', (text) => {
    expect(parseDuration(text)).toBeUndefined();
  });
});

describe('a window', () => {
  it('is the last 24 hours unless asked otherwise, in whole minutes that it touches', () => {
    expect(windowOf(undefined, now)).toEqual(window('2026-11-23T12:00:00Z', '2026-11-24T12:01:00Z'));
    expect(windowOf({ last: '15m' }, now)).toEqual(window('2026-11-24T11:45:00Z', '2026-11-24T12:01:00Z'));
  });

  it('goes from a moment to another or to now; a whole minute at the end is not touched', () => {
    const from = new Date('2026-11-24T10:00:00Z');
    expect(windowOf({ from }, now)).toEqual(window('2026-11-24T10:00:00Z', '2026-11-24T12:01:00Z'));
    const to = new Date('2026-11-24T11:00:00Z');
    expect(windowOf({ from, to }, now)).toEqual(window('2026-11-24T10:00:00Z', '2026-11-24T11:00:00Z'));
  });

  it.each([
    [{ last: '1h', from: now }, /not both/],
    [{ to: now }, /needs a "from"/],
    [{ last: 'yesterday' }, /expected a duration such as PT1H/],
    [{ last: '0h' }, /longer than 0/],
    [{ last: '32d' }, /at most 31 days/],
    [{ from: now, to: new Date('2026-11-24T10:00:00Z') }, /must be before/],
  ])('%j is refused', (input, message) => {
    expect(() => windowOf(input, now)).toThrow(BadWindow);
    expect(() => windowOf(input, now)).toThrow(message);
  });
});
