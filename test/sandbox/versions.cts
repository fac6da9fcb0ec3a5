// Both versions of the contract side by side, as the handler of the API asks for them.
import type { ApiVersion, Terms, Verdict } from './contract.cjs';
import { breachesOfV1, checkBodyV1, FIELDS_V1, termsOfV1, type OrderV1 } from './contractV1.cjs';
import { checkBodyV2, FIELDS_V2, termsOfV2, type OrderV2 } from './contractV2.cjs';

/** What a request asks for once the API's own defaults are filled in. */
export type VideoOrder = OrderV1 | OrderV2;

interface Contract {
	check: (json: unknown) => Verdict<VideoOrder>;
	/** Where a body departs from the contract although the API lets it pass: one sentence each. */
	breachesOf: (json: unknown) => string[];
	/** The keys of a body. A real API ignores any other, so that a misspelt field fails silently. */
	fields: readonly string[];
}

export const CONTRACTS: Readonly<Record<ApiVersion, Contract>> = {
	1: { check: checkBodyV1, breachesOf: breachesOfV1, fields: FIELDS_V1 },
	// Whatever version 2 does not allow is refused.
	2: { check: checkBodyV2, breachesOf: () => [], fields: FIELDS_V2 },
};
export const API_VERSIONS = [1, 2] as const satisfies readonly ApiVersion[];

export const termsOf = (order: VideoOrder): Terms =>
	'model' in order ? termsOfV2(order) : termsOfV1(order);
