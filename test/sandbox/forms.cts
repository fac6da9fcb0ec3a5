// The forms in which the API's answers may come where the contract is silent: the id, the video's URL, the reason of a
// failure. What the contract prints is always the first of a list.
import { type Answer } from './contract.cjs';

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

/** How a success names its video. */
export const RESPONSE_FORMS = [
	'urls',
	'url-objects',
	'video-url-objects',
	'url-object',
	'video-url-object',
	'text',
	'json-text',
	'nested-videos',
	'top-level-video-url',
] as const;
export type ResponseForm = (typeof RESPONSE_FORMS)[number];

/** How a failure tells its reason. */
export const REASON_FORMS = [
	'error_message',
	'message-object',
	'code-and-message-object',
	'list',
	'json-text',
	'error',
	'error-object',
	'reason',
	'fail_reason',
	'failReason',
	'message',
	'msg',
] as const;
export type ReasonForm = (typeof REASON_FORMS)[number];

/** The fields of `data` that hold the id. A number is put in by {@link withBareNumber}. */
export function idFields(id: string, form: IdForm): Record<string, string> {
	return form === 'number' ? { task_id: id } : { [form]: id };
}

/** The answer with the task's id as a bare number, which no JavaScript number can hold. */
export function withBareNumber(answer: Answer, id: string): Answer {
	return { ...answer, body: answer.body.replace(`"task_id":"${id}"`, `"task_id":${id}`) };
}

/** The fields of `data` that hold the video's URL. */
export function responseFields(url: string, form: ResponseForm): Record<string, unknown> {
	switch (form) {
		case 'urls':
			return { response: [url] };
		case 'url-objects':
			return { response: [{ url }] };
		case 'video-url-objects':
			return { response: [{ video_url: url }] };
		case 'url-object':
			return { response: { url } };
		case 'video-url-object':
			return { response: { video_url: url } };
		case 'text':
			return { response: url };
		case 'json-text':
			return { response: JSON.stringify([url]) };
		case 'nested-videos':
			return { response: { videos: [{ url }] } };
		case 'top-level-video-url':
			return { video_url: url };
	}
}

/** The fields of `data` that hold the reason of a failure. */
export function reasonFields(text: string, form: ReasonForm): Record<string, unknown> {
	switch (form) {
		case 'error_message':
			return { error_message: text };
		case 'message-object':
			return { error_message: { message: text } };
		case 'code-and-message-object':
			return { error_message: { code: 'CONTENT_POLICY', message: text } };
		case 'list':
			return { error_message: [text] };
		case 'json-text':
			return { error_message: JSON.stringify({ message: text }) };
		case 'error-object':
			return { error_message: null, error: { message: text } };
		case 'error':
		case 'reason':
		case 'fail_reason':
		case 'failReason':
		case 'message':
		case 'msg':
			return { error_message: null, [form]: text };
	}
}
