/** Sentences about values and credentials that were refused before any request. */
import { firstSentence } from '../../text';
import { asSentence, problem, type Problem } from './problem';

/**
 * Values that were refused before any request. `sentences` come from the checks; `advice` says what
 * to do about one of them for which "correct this value" is not enough.
 */
export function invalidInput(sentences: readonly string[], advice?: string): Problem {
	const isOne = sentences.length === 1;
	const correct = `Correct ${isOne ? 'this value' : 'these values'}.`;
	// The title is short; what to do stands below it.
	const [what, remedy] = firstSentence(sentences[0]);
	return problem({
		code: 'invalid_input',
		charged: 'no',
		message: isOne ? what : `${sentences.length} values cannot be used.`,
		advice: isOne
			? [remedy, advice].filter(Boolean).join(' ') || correct
			: [...sentences, ...(advice ? [advice] : []), correct].join('\n'),
		isUnsent: true,
	});
}

/**
 * Values that were refused before a task was read. `taskId`: of that task, where it is known:
 * nothing is known about what it cost.
 */
export function unreadInput(sentences: readonly string[], taskId: string | null): Problem {
	const refused = invalidInput(sentences);
	if (taskId === null) return refused;
	const { code, message, advice } = refused;
	return problem({
		code,
		charged: 'unknown',
		message,
		advice: `${advice} Then run this node again: it reads the task without paying again.`,
		taskId,
	});
}

/**
 * A credential that cannot be used, reported before anything was sent.
 *
 * @param reason one sentence; empty where nobody knows
 * @param about.name of the credential, as its owner calls it
 * @param about.taskId of a task that was to be read with it: nothing is known about what that cost
 */
export function credentialProblem(
	reason: string,
	about: { name?: string; field?: 'apiKey' | 'baseUrl'; taskId?: string } = {},
): Problem {
	const { name, field, taskId } = about;
	const what = reason || 'The Seedance credential could not be read.';
	const which = name
		? `the credential "${name}" of this node`
		: 'the Seedance credential of this node';
	const advice = `Open ${which} and correct it.`;
	if (taskId === undefined) {
		const code = field === 'baseUrl' ? 'not_created' : 'invalid_api_key';
		return problem({ code, charged: 'no', message: what, advice, isUnsent: true });
	}
	return problem({
		code: field === 'baseUrl' ? 'contact_lost' : 'invalid_api_key',
		charged: 'unknown',
		message: `${asSentence(what)} Task ${taskId} could not be read.`,
		advice: `${advice} Then read the task with Wait for Video and task ID ${taskId}, which does not pay again.`,
		taskId,
	});
}
