// Looks through what n8n has stored and logged for secrets: keys, signatures, resume tokens.
import { api, executionIds, sandbox, WRONG_KEY } from './n8n/world.cjs';

/** A signature of a callback URL, wherever it stands. */
const SIGNATURE = /seedance_sig(=|%3D)[\w-]{43}/;

/** The keys and signatures in a text, such as a log. */
function leaksIn(text: string): string[] {
	const found = [sandbox.apiKey, WRONG_KEY].some((key) => text.includes(key)) ? ['key'] : [];
	return SIGNATURE.test(text) ? [...found, 'signature'] : found;
}

/** A text with all that an execution shows, but for the address that n8n's own form sends its visitor to. */
const shownIn = (resultData: unknown): string =>
	JSON.stringify(resultData, (key, value: unknown) =>
		key === 'resumeFormUrl' ? undefined : value,
	);

/**
 * The tests that come last: they look through the log and every execution that was run before.
 *
 * @param expected texts that the log has to hold: without them nothing would be proved
 */
export function secretsSuite(log: () => string, expected: readonly string[]): void {
	describe('secrets', () => {
		it('are not in the log: no key, and no signature', () => {
			for (const text of expected) expect(log()).toContain(text);
			expect(leaksIn(log())).toEqual([]);
		});

		it('are not in what an execution shows, and no key or signature anywhere in it', async () => {
			const found: string[] = [];
			let tokens = 0;
			for (const id of executionIds) {
				const stored = JSON.stringify(await api.call('GET', `/executions/${id}`));
				found.push(...leaksIn(stored).map((what) => `${id}: ${what}`));
				const { resumeToken, resultData } = (await api.getExecution(id)).data;
				if (resumeToken === undefined) continue;
				tokens++;
				// n8n keeps the token that resumes an execution beside what people and later nodes see of it.
				if (shownIn(resultData).includes(resumeToken)) found.push(`${id}: token shown`);
				if (log().includes(resumeToken)) found.push(`${id}: token logged`);
			}
			expect(found).toEqual([]);
			expect(tokens).toBeGreaterThan(0);
		});
	});
}
