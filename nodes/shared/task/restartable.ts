/**
 * Failures that are the vendor's own and cost nothing: only after these a video may be restarted
 * automatically. Words decide, because the API documents no codes
 * (docs/api-contract.md#cost-of-a-failed-task); an unknown reason is left to a person.
 */
import type { Task } from './task';

const TROUBLE =
	/\b(internal (server )?error|internal failure|server error|service (is )?(temporarily )?unavailable|temporarily unavailable|time(d)?[ -]?out|(server|service|system|model|engine|queue)( is|s are)?( currently)? (busy|full)|busy|overload(ed)?|over capacity)\b/i;
/** Words of a refusal that a restart would not change, whatever else the reason says. */
const REFUSAL =
	/\b(moderat\w*|polic(y|ies)|safety|sensitive|prohibited|forbidden|violat\w*|copyright\w*|inappropriate|nsfw|reject\w*|blocked|not (allowed|accepted)|invalid|unsupported|image|prompt|credits?|balance)\b/i;

/** Whether a failed task may be restarted: it cost exactly 0 credits, and its reason is known. */
export function isRestartable({ state, consumedCredits, errorMessage }: Task): boolean {
	if (state !== 'failed' || consumedCredits !== 0 || errorMessage === null) return false;
	return TROUBLE.test(errorMessage) && !REFUSAL.test(errorMessage);
}
