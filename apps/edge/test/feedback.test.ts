import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { ErrorBody, PredictResponse } from '../src/contract.ts';
import { binaryManifest, regressionManifest, routeOf, sha256 } from './manifests.ts';
import { binaryModel, regressionModel } from './models.ts';
import { CLIENT_KEY, type Stand, startStand } from './stand.ts';

const READER = 'reading-key-0123456789abcdef';
let stand: Stand;
beforeAll(async () => {
  stand = await startStand();
  const [model, regression] = [binaryModel(), regressionModel()];
  await stand.pushArtifact(model);
  await stand.pushArtifact(regression);
  const keys = [
    { sha256: sha256(CLIENT_KEY), scopes: ['edge' as const] },
    { sha256: sha256(READER), scopes: ['read' as const] },
  ];
  const numbered = binaryManifest(model, { classes: ['0', '1.0'], positiveClass: '1.0' });
  const named = binaryManifest(model, { classes: ['False', 'True'], positiveClass: 'True' });
  await stand.pushRoute(routeOf('titanic', 1, [[binaryManifest(model), 1]], keys));
  await stand.pushRoute(routeOf('numbers', 1, [[numbered, 1]], keys));
  await stand.pushRoute(routeOf('booleans', 1, [[named, 1]], keys));
  await stand.pushRoute(routeOf('fares', 1, [[regressionManifest(regression), 1]], keys));
  await stand.pushRoute(
    routeOf('foreign', 1, [[binaryManifest(model), 1]], [{ sha256: sha256('x'), scopes: ['edge'] }]),
  );
});
afterAll(() => stand.close());

async function predict(endpoint: string, count = 1): Promise<string[]> {
  const instances = Array.from({ length: count }, (_, age) => ({ age, sex: 'male' }));
  const { predictions }: PredictResponse = await (await stand.predict(endpoint, { instances })).json();
  return predictions.map(({ id }) => id);
}
const tell = (endpoint: string, body: unknown, key = CLIENT_KEY) =>
  stand.request(`/v1/endpoints/${endpoint}/feedback`, {
    method: 'POST',
    headers: { authorization: `Bearer ${key}`, 'content-type': 'application/json' },
    body: JSON.stringify(body),
  });
const errorOf = async (response: Response): Promise<ErrorBody['error'] & { status: number }> => {
  const body: ErrorBody = await response.json();
  return { status: response.status, ...body.error };
};
const part = (id: string) => ({ eventId: id.split('.')[0], index: Number(id.split('.').at(-1)) });
/** What the API was told about an event, once it is there. */
async function told(id: string) {
  const { eventId } = part(id);
  const find = () => stand.api.feedback.find(({ labels }) => labels.some((label) => label.eventId === eventId));
  await stand.api.until(() => find() !== undefined);
  return find();
}

describe('feedback', () => {
  test('of one prediction or of many reaches the API, durable with the answer', async () => {
    const [one = ''] = await predict('titanic');
    const many = await predict('titanic', 3);
    stand.api.status = 503;
    expect(await (await tell('titanic', { id: one, label: ' no ' })).json()).toEqual({ accepted: 1 });
    const feedback = many.map((id, i) => ({ id, label: i === 1 ? 'yes' : 'no' }));
    expect(await (await tell('titanic', { feedback })).json()).toEqual({ accepted: 3 });
    await stand.crash();
    stand.api.status = undefined;
    expect(await told(one)).toMatchObject({ endpoint: 'titanic', labels: [{ ...part(one), label: 'no' }] });
    const labels = feedback.map(({ id, label }) => ({ ...part(id), label }));
    expect((await told(many[0] ?? ''))?.labels).toEqual(labels);
  });

  test('says later times later, so that the last label can win', async () => {
    const ids = await predict('titanic', 1);
    const [id = ''] = ids;
    await Promise.all(Array.from({ length: 50 }, (_, i) => tell('titanic', { id, label: i % 2 ? 'yes' : 'no' })));
    const mine = () => stand.api.feedback.filter(({ labels }) => labels.some((l) => l.eventId === part(id).eventId));
    await stand.api.until(() => mine().length === 50);
    expect(new Set(mine().map(({ time }) => time)).size).toBe(50);
    expect(mine()[0]?.time).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z$/);
  });

  test.each<[string, string, unknown, string]>([
    ['a number for a class of its value', 'numbers', 1, '1.0'],
    ['a text that writes the number', 'numbers', '+0.0', '0'],
    ['a boolean', 'booleans', true, 'True'],
    ['a number where numbers are predicted', 'fares', 7.25, '7.25'],
    ['its text', 'fares', '725e-2', '7.25'],
  ])('takes %s', async (_, endpoint, label, expected) => {
    const [id = ''] = await predict(endpoint);
    expect((await tell(endpoint, { id, label })).status).toBe(200);
    expect((await told(id))?.labels[0]?.label).toBe(expected);
  });

  test('of a version that is no longer in the route is taken as it is: the API judges it', async () => {
    const id = `${randomUUID()}.0123456789ab.7`;
    expect((await tell('titanic', { id, label: 'maybe' })).status).toBe(200);
    expect((await told(id))?.labels).toEqual([{ ...part(id), label: 'maybe' }]);
    const nul = await tell('titanic', { id, label: 'a\0b' });
    expect(await errorOf(nul)).toMatchObject({ status: 422, code: 'UNKNOWN_LABEL' });
  });
});

describe('is refused', () => {
  test.each<[string, string, unknown, number, string, string]>([
    ['an unknown class', 'titanic', 'maybe', 422, 'UNKNOWN_LABEL', 'label'],
    ['a number that is no class', 'numbers', 2, 422, 'UNKNOWN_LABEL', 'label'],
    ['no number', 'fares', 'dear', 422, 'UNKNOWN_LABEL', 'label'],
    ['null', 'titanic', null, 400, 'INVALID_REQUEST', 'label'],
    ['an object', 'titanic', { no: 1 }, 400, 'INVALID_REQUEST', 'label'],
    ['a text without end', 'titanic', 'y'.repeat(2000), 400, 'INVALID_REQUEST', 'label'],
  ])('%s', async (_, endpoint, label, status, code, field) => {
    const [id = ''] = await predict(endpoint);
    expect(await errorOf(await tell(endpoint, { id, label }))).toMatchObject({ status, code, field });
  });

  test('the whole of a request with one mistake in it', async () => {
    const [first = '', second = ''] = await predict('titanic', 2);
    const before = stand.api.feedback.length;
    const wrong = await tell('titanic', {
      feedback: [
        { id: first, label: 'no' },
        { id: second, label: 'No' },
      ],
    });
    const error = await errorOf(wrong);
    expect(error).toMatchObject({ status: 422, code: 'UNKNOWN_LABEL', field: 'feedback[1].label' });
    expect(error.message).toBe('version 1 of titanic: expected one of no, yes; got "No"');
    const strange = await tell('titanic', { feedback: [{ id: 'prediction-1', label: 'no' }] });
    expect(await errorOf(strange)).toMatchObject({ code: 'INVALID_PREDICTION_ID', field: 'feedback[0].id' });
    const [later = ''] = await predict('titanic');
    await tell('titanic', { id: later, label: 'no' });
    await told(later); // what came before would be there too
    expect(stand.api.feedback).toHaveLength(before + 1);
  });

  test('what is no list of 1 to 1000', async () => {
    const item = { id: `${randomUUID()}.a.0`, label: 'no' };
    for (const feedback of [[], Array(1001).fill(item), 'no'])
      expect(await errorOf(await tell('titanic', { feedback }))).toMatchObject({ status: 400, field: 'feedback' });
    expect((await tell('titanic', { feedback: Array(1000).fill(item) })).status).toBe(200);
  });

  test('without a key that may write', async () => {
    const [id = ''] = await predict('titanic');
    const body = { id, label: 'no' };
    expect(await errorOf(await tell('titanic', body, READER))).toMatchObject({ status: 403, code: 'FORBIDDEN' });
    expect(await errorOf(await tell('titanic', body, 'unknown-key-0123456789'))).toMatchObject({ status: 401 });
    expect(await errorOf(await tell('foreign', body))).toMatchObject({ status: 401 });
    expect(await errorOf(await tell('absent', body))).toMatchObject({ status: 404 });
  });
});
