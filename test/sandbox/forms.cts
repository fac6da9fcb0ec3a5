// The forms in which the API's responses may come where the contract is silent: the id, the video's URL, the reason of a
// failure. What the contract prints is always the first of a list.
import tables from '../fixtures/sandbox.json';
import { filled, keysOf, type ApiResponse } from './contract.cjs';

/** Where and how a task's id stands. `number`: a JSON number above 2^53. */
export type IdForm = 'task_id' | 'taskId' | 'id' | 'number';
/** Ids that a task can be made with: with each character that needs care in a URL, a sheet or an expression. */
export const ODD_IDS: readonly string[] = tables.oddIds;

/** How a success names its video. */
export type ResponseForm = keyof typeof tables.responses;
export const RESPONSE_FORMS = keysOf(tables.responses);

/** Where a failure has its reason. */
export type ReasonForm = keyof typeof tables.reasons;
export const REASON_FORMS = keysOf(tables.reasons);

/** Reasons of a failure: what the vendor does not let pass, and the vendor's own troubles. */
export const FAILURES = tables.failures;

/** The fields of `data` that hold the id. A number is put in by {@link withBareNumber}. */
export const idFields = (id: string, form: IdForm = 'task_id') =>
	form === 'number' ? { task_id: id } : { [form]: id };

/** The response with the task's id as a bare number, which no JavaScript number can hold. */
export const withBareNumber = (response: ApiResponse, id: string): ApiResponse => ({
	...response,
	body: response.body.replace(`"task_id":"${id}"`, `"task_id":${id}`),
});

export const responseFields = (url: string, form: ResponseForm = 'urls') =>
	filled(tables.responses[form], { $url: url, $json: JSON.stringify([url]) });
export const reasonFields = (text: string, form: ReasonForm = 'error_message') =>
	filled(tables.reasons[form], { $text: text, $json: JSON.stringify({ message: text }) });
