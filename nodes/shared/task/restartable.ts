/**
 * Failures that are the vendor's own trouble, and cost nothing: the only ones after which a video may
 * be started anew by itself. Told by words, since the API promises no codes
 * (docs/api-contract.md#cost-of-a-failed-task); what is not known is a person's to judge.
 */
import type { Task } from './task';

const TROUBLE =
	/\b(internal (server )?error|internal failure|server error|service (is )?(temporarily )?unavailable|temporarily unavailable|time(d)?[ -]?out|(server|service|system|model|engine|queue)( is|s are)?( currently)? (busy|full)|busy|overload(ed)?|over capacity)\b/i;
/** Words of a refusal that a new try would not change, whatever else the reason says. */
const REFUSAL =
	/\b(moderat\w*|polic(y|ies)|safety|sensitive|prohibited|forbidden|violat\w*|copyright\w*|inappropriate|nsfw|reject\w*|blocked|not (allowed|accepted)|invalid|unsupported|image|prompt|credits?|balance)\b/i;

/** Whether a failed task may be started anew: it cost exactly nothing, and its reason is known. */
export function isRestartable({ state, consumedCredits, errorMessage }: Task): boolean {
	if (state !== 'failed' || consumedCredits !== 0 || errorMessage === null) return false;
	return TROUBLE.test(errorMessage) && !REFUSAL.test(errorMessage);
}
