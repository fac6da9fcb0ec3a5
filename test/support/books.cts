// What must hold after every test against a sandbox, whatever it did.
import type { Sandbox } from '../sandbox/server.cjs';

/** No request broke the contract of the API, and the key went nowhere else. Needs jest. */
export function expectCleanBooks({ ledger }: Pick<Sandbox, 'ledger'>): void {
	expect({ breaches: ledger.breaches(), leaks: ledger.keyLeaks }).toEqual({
		breaches: [],
		leaks: [],
	});
}
