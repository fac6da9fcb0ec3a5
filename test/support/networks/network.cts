/**
 * What every network that a test stands in for has in common: the calls that it gets, its replies, and how the proxy
 * learns which addresses are its own. Each network follows its own documents, which its file names.
 */

/** A file, or a field, of a form. */
export interface FormPart {
	name: string;
	filename?: string;
	type?: string;
	data: Buffer;
}

/** One request, as it arrived. */
export interface Call {
	method: string;
	host: string;
	/** Without the query. */
	path: string;
	query: Record<string, string>;
	/** By their names in lower case. */
	headers: Record<string, string | undefined>;
	body: Buffer;
	/** The body of a request that says that it is JSON. */
	json: Record<string, unknown>;
	/** The body of a form, of either kind. */
	form: FormPart[];
}

/** What a network replies; `reset` breaks the connection without a response. */
export type Reply =
	| { status?: number; headers?: Record<string, string>; json?: unknown; body?: string | Buffer }
	| 'reset';

export interface Network {
	/** Whether an address is this network's. */
	serves(host: string, path: string): boolean;
	/** Replies to a call. What it throws fails the test: the network has no such call. */
	handle(call: Call): Reply | Promise<Reply>;
	/** Forgets what earlier tests have left. */
	reset(): void;
}

/** A text of a form; empty when there is no such field. */
export function fieldOf({ form }: Call, name: string): string {
	return form.find((part) => part.name === name)?.data.toString() ?? '';
}

/** For a call that a network's documents do not know. */
export function unknownCall({ method, host, path }: Call): never {
	throw new Error(`${host} has no ${method} ${path}`);
}

/** A reply that a network gives: its body is JSON. */
export const reply = (status: number, json: unknown, headers = {}): Reply => ({
	status,
	json,
	headers,
});
