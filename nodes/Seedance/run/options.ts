/** The Options of the node: read from its first item, each number within its bounds. */
import type { IExecuteFunctions } from 'n8n-workflow';

import { isObject, numberOf } from '../../shared/json';
import { DEFAULT_MODEL, modelOr } from '../../shared/task/models';
import { isEmpty, plain, quote, switchOf } from '../../shared/task/values';
import { PERIODS, type CreditBudget, type Period } from '../videoList/creditBudget';
import { choiceParameter, FieldError, fieldProblems, fieldRef, readValue } from './fieldReading';
import { NUMBERS, type NumberField } from '../description/numbers';

export interface Options {
	/** Credits; undefined for no limit. */
	maxCredits?: number;
	/** Videos per group; Infinity for no groups. */
	batchSize: number;
	/** Milliseconds between groups. */
	batchInterval: number;
	/** The most videos of this run at once; undefined for no limit. */
	maxAtOnce?: number;
	/** How often a video that has failed without a charge is restarted. */
	restarts: number;
	/** Minutes; undefined where the model decides, see {@link timeoutFor}. */
	timeout?: number;
	/** Seconds. */
	pollInterval: number;
	/** Whether a person has set it: then polls within a known window keep to it, too. */
	isIntervalSet: boolean;
	/** Whether videos are kept in the list of videos. */
	videoList: boolean;
	/** Undefined for no limit. */
	creditBudget?: CreditBudget;
}

/** The same with the Timeout known, because the models are. */
export type TimedOptions = Options & { timeout: number };

/**
 * Minutes that a wait for videos of these models may take: the user's Timeout, or the longest one
 * of the models.
 */
export function timeoutFor(
	{ timeout }: Pick<Options, 'timeout'>,
	models: ReadonlyArray<string | null>,
): number {
	const minutes = models.map((model) => modelOr(model).timeoutMinutes);
	return timeout ?? Math.max(...minutes, DEFAULT_MODEL.timeoutMinutes);
}

const NUMBER_PATHS: readonly string[] = Object.values(NUMBERS).map(({ path }) => path);

/** The value in a tree of parameters at a path such as `options.timeout`. */
function at(tree: unknown, path: string): unknown {
	return path
		.split('.')
		.reduce((node: unknown, name) => (isObject(node) ? node[name] : undefined), tree);
}

/** The Options that were added; empty where there are none. */
function collectionOf(tree: unknown): Record<string, unknown> {
	const collection = at(tree, 'options');
	return isObject(collection) ? collection : {};
}

/** A number from one of the Options, within its bounds. Throws a {@link FieldError}. */
function numberIn(field: NumberField, value: unknown): number {
	const { label, least, most, isWhole } = NUMBERS[field];
	const range = `a ${isWhole ? 'whole ' : ''}number from ${least} to ${most}`;
	if (isEmpty(value)) {
		throw new FieldError([
			`${label} is empty: its expression gave nothing, and that would be no limit. Enter ${range}, or remove the option.`,
		]);
	}
	const number = numberOf(value);
	const isWithin = number !== null && number >= least && number <= most;
	if (isWithin && (!isWhole || Number.isInteger(number))) return number;
	throw new FieldError([`${label} must be ${range}, not ${quote(value)}.`]);
}

const BUDGET_NEEDS_LIST =
	'Maximum Credits per Period needs the list of videos, but Keep Video List is off. Turn it on, or remove the limit.';

/** A period of a limit; the first where it is empty. Throws a {@link FieldError}. */
function periodOf(value: unknown): Period {
	if (isEmpty(value)) return PERIODS[0];
	const found = PERIODS.find((period) => period === plain(value));
	if (found) return found;
	throw new FieldError([
		`Period ${quote(value)} is not supported. Allowed: ${PERIODS.join(', ')}.`,
	]);
}

/**
 * The Wait Method of the first item; Keep Checking where the field is empty. Throws a
 * {@link FieldError}.
 */
export function waitMethodOf(context: IExecuteFunctions): 'poll' | 'callback' {
	return choiceParameter(context, 0, 'waitMethod', ['poll', 'callback']);
}

/**
 * The Options of the node, from its first item, and a sentence for every problem: a number out of
 * its bounds, or an expression that cannot be read. Never throws.
 */
export function readOptions(context: IExecuteFunctions): { options: Options; problems: string[] } {
	const problems: string[] = [];
	const attempt = <T>(read: () => T, otherwise: T): T => {
		try {
			return read();
		} catch (error) {
			problems.push(...fieldProblems(error));
			return otherwise;
		}
	};
	let tree: unknown;
	let valueOf = (path: string): unknown => at(tree, path);
	let unread: unknown;
	try {
		tree = { options: readValue(context, fieldRef(0, 'options'), {}) };
	} catch (error) {
		// One of the options cannot be read. Each is read alone, so that the message names the right
		// one.
		unread = error;
		tree = context.getNode().parameters;
		valueOf = (path) => readValue(context, fieldRef(0, path), '');
	}
	const isAdded = (path: string): boolean => at(tree, path) !== undefined;
	/** Undefined where the option is not set. */
	const readSet = (field: NumberField): number | undefined =>
		attempt(() => {
			const value = valueOf(NUMBERS[field].path);
			return isEmpty(value) ? undefined : numberIn(field, value);
		}, undefined);
	const read = (field: NumberField): number => readSet(field) ?? NUMBERS[field].usual;
	const isBatching = isAdded('options.batching.batch');
	const batchSize = isBatching ? read('batchSize') : 0;
	// A limit whose expression gives nothing is an error, not "no limit".
	const isLimited = Object.hasOwn(collectionOf(tree), 'maxCredits');
	const hasBudget = isAdded('options.creditBudget.budget');
	const maxAtOnce = read('maxAtOnce');
	const videoList = attempt(() => switchOf(valueOf('options.videoList')) ?? true, true);
	const creditBudget = hasBudget
		? {
				credits: attempt(() => numberIn('periodCredits', valueOf(NUMBERS.periodCredits.path)), 0),
				period: attempt(() => periodOf(valueOf('options.creditBudget.budget.period')), 'day'),
			}
		: undefined;
	if (creditBudget && !videoList) problems.push(BUDGET_NEEDS_LIST);
	const options: Options = {
		maxCredits: isLimited
			? attempt(() => numberIn('maxCredits', valueOf(NUMBERS.maxCredits.path)), 0)
			: undefined,
		batchSize: batchSize > 0 ? batchSize : Number.POSITIVE_INFINITY,
		batchInterval: isBatching ? read('batchInterval') : 0,
		maxAtOnce: maxAtOnce > 0 ? maxAtOnce : undefined,
		restarts: read('restarts'),
		timeout: readSet('timeout'),
		pollInterval: read('pollInterval'),
		isIntervalSet: !isEmpty(at(tree, NUMBERS.pollInterval.path)),
		videoList,
		creditBudget,
	};
	if (unread !== undefined) {
		const others = Object.keys(collectionOf(tree)).map((name) => `options.${name}`);
		for (const path of others.filter(
			(one) => !NUMBER_PATHS.includes(one) && !isObject(at(tree, one)),
		)) {
			attempt(() => valueOf(path), undefined);
		}
		if (problems.length === 0) problems.push(...fieldProblems(unread));
	}
	return { options, problems };
}
