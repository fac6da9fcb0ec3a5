/**
 * Addresses of n8n that people enter instead of their trigger's. A callback to them starts no
 * workflow, so a video would be paid for and never reported (docs/n8n-behaviour.md#paths-of-n8n).
 */

function segmentsOf(link: string): string[] {
	return new URL(link).pathname.split('/').filter(Boolean);
}

/** The first segments under which paths are the user's own, or another program's. */
const FREE = ['webhook', 'webhook-test', 'webhook-waiting', 'api'];

/**
 * The segments from one of these names on, where it is a path of n8n's own: at the start, or below
 * one folder (`N8N_PATH`).
 */
function under(segments: readonly string[], ...names: string[]): string[] | undefined {
	const at = segments.findIndex((segment) => names.includes(segment));
	if (at < 0 || at > 1 || (at === 1 && FREE.includes(segments[0]))) return undefined;
	return segments.slice(at);
}

const PAGES_OF_HOME = [
	'workflows',
	'executions',
	'credentials',
	'chat',
	'variables',
	'datatables',
	'agents',
];

function isEditor(segments: readonly string[]): boolean {
	const [, page] = under(segments, 'workflow', 'home') ?? [];
	const [, , ofProject] = under(segments, 'projects') ?? [];
	const isHome = under(segments, 'home') !== undefined;
	return isHome
		? PAGES_OF_HOME.includes(page)
		: page !== undefined || PAGES_OF_HOME.includes(ofProject);
}

/** `/webhook/<id>/chat`; where the endpoint has another name, by the id that n8n gives a chat. */
function isChat(segments: readonly string[]): boolean {
	const [endpoint, id] = segments.slice(-3);
	if (segments.at(-1) !== 'chat' || segments.length < 3) return false;
	return (
		/^webhook(?:-test)?$/.test(endpoint) || /^[\da-f]{8}(?:-[\da-f]{4}){3}-[\da-f]{12}$/i.test(id)
	);
}

const INSTEAD = 'Use the Production URL that a Seedance Trigger or Webhook node shows';

/**
 * Why a callback to this address could not start a workflow, as the end of a sentence without its
 * full stop; undefined for any other address. Throws a TypeError for a text that is no URL: check
 * that first.
 */
export function wrongAddressReason(link: string): string | undefined {
	const segments = segmentsOf(link);
	if (isEditor(segments)) {
		return `is the address of n8n's editor in your browser, where no callback arrives. ${INSTEAD}`;
	}
	if (under(segments, 'form', 'form-test', 'form-waiting')?.[1]) {
		return `is the address of a form, which takes no callbacks. ${INSTEAD}`;
	}
	if (isChat(segments)) return `is the address of a chat, which takes no callbacks. ${INSTEAD}`;
	if (under(segments, 'mcp', 'mcp-test')?.[1]) {
		return `is the address of an MCP server, which takes no callbacks. ${INSTEAD}`;
	}
	return undefined;
}

/**
 * Whether a link is a test URL of n8n, which works for two minutes
 * (docs/n8n-behaviour.md#test-url).
 */
export function isTestUrl(link: string): boolean {
	return /^https?:\/\/[^?#]*\/webhook-test\//i.test(link);
}

/** Whether a link resumes a waiting execution of n8n, as `$execution.resumeUrl` does. */
export function isResumeUrl(link: string): boolean {
	return /^https?:\/\/[^?#]*\/webhook-waiting\//i.test(link);
}
