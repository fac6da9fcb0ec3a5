// Looks through what n8n has stored and logged for what belongs to nobody but the API: keys, signatures, resume tokens.
import { isRecord } from '../sandbox/server.cjs';
import type { N8nClient } from './n8n/client.cjs';

/** A signature of a callback URL, wherever it stands. */
const SIGNATURE = /seedance_sig(=|%3D)[\w-]{43}/;

export interface Leaks {
	/** What was found, each with the place. */
	found: string[];
	/** How many resume tokens were looked for: with none, nothing was proved about them. */
	tokens: number;
}

/** The keys and signatures in a text, such as a log. */
export function leaksInText(text: string, keys: readonly string[]): string[] {
	const found = keys.some((key) => text.includes(key)) ? ['key'] : [];
	return SIGNATURE.test(text) ? [...found, 'signature'] : found;
}

/** Everything of an execution that people and later nodes see: what its nodes gave, its error, its hints. */
function seenOf(data: unknown): string {
	return JSON.stringify(isRecord(data) ? data.resultData : null);
}

/** The token that resumes an execution; n8n keeps it beside the results. */
function tokenOf(data: unknown): string | undefined {
	return isRecord(data) && typeof data.resumeToken === 'string' ? data.resumeToken : undefined;
}

/**
 * Looks through executions: no key and no signature anywhere in what is stored of them, workflow and data, and no resume
 * token in what they show or in `log`.
 */
export async function leaksInExecutions(
	api: N8nClient,
	executionIds: readonly string[],
	keys: readonly string[],
	log: string,
): Promise<Leaks> {
	const found: string[] = [];
	let tokens = 0;
	for (const id of executionIds) {
		const stored = JSON.stringify(await api.call('GET', `/executions/${id}`));
		found.push(...leaksInText(stored, keys).map((what) => `${id}: ${what}`));
		const { data } = await api.getExecution(id);
		const token = tokenOf(data);
		if (token === undefined) continue;
		tokens++;
		if (seenOf(data).includes(token)) found.push(`${id}: token shown`);
		if (log.includes(token)) found.push(`${id}: token logged`);
	}
	return { found, tokens };
}
