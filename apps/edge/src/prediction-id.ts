/**
 * Ids of predictions: opaque to clients; to us they say event, version and instance, so that feedback is joined without
 * a look-up, even before the event has arrived. Pure.
 */

/** What an id says. */
export interface PredictionId {
  /** Of the prediction event. */
  eventId: string;
  /** Which version answered, as `versionTag` writes it. */
  version: string;
  /** Of the instance in its request. */
  index: number;
}

const UUID = '[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}';
const PREDICTION_ID = new RegExp(`^(${UUID})\\.([0-9a-z]{1,12})\\.(0|[1-9]\\d{0,3})$`);

/** The last characters of a version's id: of a UUID the random ones, enough to tell an endpoint's variants apart. */
export function versionTag(modelVersionId: string): string {
  const characters = modelVersionId.toLowerCase().replaceAll(/[^0-9a-z]/g, '');
  return characters.slice(-12);
}

/** What the ids of one request's predictions begin with. */
export function predictionStem(eventId: string, modelVersionId: string): string {
  return `${eventId}.${versionTag(modelVersionId)}`;
}

/** The id of one prediction. */
export function predictionId(stem: string, index: number): string {
  return `${stem}.${index}`;
}

/** Reads an id, or undefined when it is none. */
export function parsePredictionId(text: string): PredictionId | undefined {
  const [, eventId, version, index] = PREDICTION_ID.exec(text) ?? [];
  return eventId && version && index ? { eventId, version, index: Number(index) } : undefined;
}
