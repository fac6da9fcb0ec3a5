// The forms in which the API's answers may come where the contract is silent: the id, the video's URL, the reason of a
// failure. What the contract prints is always the first of a list.
import { keysOf, type Answer } from './contract.cjs';

/** Where and how a task's id stands. `number`: a JSON number above 2^53. */
export const ID_FORMS = ['task_id', 'taskId', 'id', 'number'] as const;
export type IdForm = (typeof ID_FORMS)[number];

/** Ids that a task can be made with: with each character that needs care in a URL, a sheet or an expression. */
export const ODD_IDS: readonly string[] = [
	'seed 15 with spaces',
	'seed15"quoted"\'twice\'',
	'seed15{braces}[brackets]',
	'seed15-ümlaut-視頻-🎬',
	'seed15/with/slash',
	'seed15+plus&and=sign?q#hash%25',
	'cgt-20260101:abc|def~$1;,@!*()',
];

type Fields = (value: string) => Record<string, unknown>;

/** How a success names its video. */
const RESPONSES = {
	urls: (url) => ({ response: [url] }),
	'url-objects': (url) => ({ response: [{ url }] }),
	'video-url-objects': (url) => ({ response: [{ video_url: url }] }),
	'url-object': (url) => ({ response: { url } }),
	'video-url-object': (url) => ({ response: { video_url: url } }),
	text: (url) => ({ response: url }),
	'json-text': (url) => ({ response: JSON.stringify([url]) }),
	'nested-videos': (url) => ({ response: { videos: [{ url }] } }),
	'top-level-video-url': (url) => ({ video_url: url }),
} satisfies Record<string, Fields>;
export type ResponseForm = keyof typeof RESPONSES;
export const RESPONSE_FORMS = keysOf(RESPONSES);

/** How a failure tells its reason. */
const REASONS = {
	error_message: (text) => ({ error_message: text }),
	'message-object': (message) => ({ error_message: { message } }),
	'code-and-message-object': (message) => ({ error_message: { code: 'CONTENT_POLICY', message } }),
	list: (text) => ({ error_message: [text] }),
	'json-text': (message) => ({ error_message: JSON.stringify({ message }) }),
	error: (error) => ({ error_message: null, error }),
	'error-object': (message) => ({ error_message: null, error: { message } }),
	reason: (reason) => ({ error_message: null, reason }),
	fail_reason: (text) => ({ error_message: null, fail_reason: text }),
	failReason: (failReason) => ({ error_message: null, failReason }),
	message: (message) => ({ error_message: null, message }),
	msg: (msg) => ({ error_message: null, msg }),
} satisfies Record<string, Fields>;
export type ReasonForm = keyof typeof REASONS;
export const REASON_FORMS = keysOf(REASONS);

/** The fields of `data` that hold the id. A number is put in by {@link withBareNumber}. */
export const idFields = (id: string, form: IdForm = 'task_id') =>
	form === 'number' ? { task_id: id } : { [form]: id };

/** The answer with the task's id as a bare number, which no JavaScript number can hold. */
export const withBareNumber = (answer: Answer, id: string): Answer => ({
	...answer,
	body: answer.body.replace(`"task_id":"${id}"`, `"task_id":${id}`),
});

export const responseFields = (url: string, form: ResponseForm = 'urls') => RESPONSES[form](url);
export const reasonFields = (text: string, form: ReasonForm = 'error_message') =>
	REASONS[form](text);
