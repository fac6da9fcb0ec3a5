/**
 * Every sentence about a failed call, task, wait or download that a user reads, written once: what
 * happened, what to do, and whether it was charged.
 */
export * from './downloading';
export type { CallFailure } from './failure';
export * from './input';
export * from './list';
export * from './nodeError';
export { chargedBy, COST, ofOnlyItem } from './problem';
export type { Charged, ErrorCode, Problem } from './problem';
export {
	maybeCreated,
	notCreated,
	notSent,
	rateLimitedUntilDeadline,
	stillUnclear,
	tooManyCredits,
	unexpectedError,
} from './starting';
export { formatAge } from './timeSpan';
export * from './watching';
