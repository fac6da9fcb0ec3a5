/**
 * A pause as it is stored in the execution. The package may be updated while an execution pauses,
 * so another version may have written it: every field is checked, and a task without a usable one
 * is read again from the API.
 *
 * - version 1 (package 0.1, which wrote no number): its callback URL is the bare resume URL of the
 *   execution;
 * - version 2: its callback URL has a path segment of the node's own;
 * - version 3: the facts about a task before it is read stand under `seed`.
 */
import type { IDataObject } from 'n8n-workflow';

import { unexpectedError, type Problem } from '../../shared/task/errors';
import { isObject, numberOf, textOf } from '../../shared/json';
import type { Task } from '../../shared/task/task';
import type { TaskSeed } from '../../shared/task/taskItem';
import type { Output } from '../run/parameters';
import { NO_SEED, type Result } from '../run/result';

/** Where the pause is kept in the node's context. */
const FIELD = 'seedancePause';
const UNREADABLE = 'what was stored of this item cannot be read';
/** The version that this package writes. It reads all up to this one. */
const PAUSE_VERSION = 3;
const READABLE = [1, 2, PAUSE_VERSION];

/** A pause, as it is kept. */
export interface Pause {
	version: number;
	/** The run of the node that paused. */
	runIndex: number;
	executionId: string;
	/** Milliseconds since 1970. */
	pausedAt: number;
	/** The claim of its rows in the list of videos. */
	claim?: string;
	/** One per item, in order: a task to wait for, or its result. */
	results: Result[];
}

type Check = (value: unknown) => boolean;
const isText: Check = (value) => typeof value === 'string';
const isNumber: Check = (value) => typeof value === 'number' && Number.isFinite(value);
const orNull =
	(check: Check): Check =>
	(value) =>
		value === null || check(value);
const orAbsent =
	(check: Check): Check =>
	(value) =>
		value === undefined || check(value);
const oneOf =
	(...words: string[]): Check =>
	(value) =>
		typeof value === 'string' && words.includes(value);

function fits(value: unknown, checks: Readonly<Record<string, Check>>): boolean {
	return isObject(value) && Object.entries(checks).every(([name, check]) => check(value[name]));
}

const isData = (value: unknown): value is IDataObject => isObject(value);

const isSeed = (value: unknown): value is TaskSeed =>
	fits(value, {
		taskId: orNull(isText),
		model: orNull(isText),
		prompt: orNull(isText),
		estimatedCredits: orNull(isNumber),
		createdAt: orAbsent(isNumber),
	});

const isTask = (value: unknown): value is Task =>
	fits(value, {
		taskId: isText,
		state: oneOf('running', 'succeeded', 'failed'),
		statusWord: isText,
		videoUrl: orNull(isText),
		model: orNull(isText),
		prompt: orNull(isText),
		consumedCredits: orNull(isNumber),
		estimatedCredits: orNull(isNumber),
		createdAt: orNull(isText),
		errorMessage: orNull(isText),
		raw: isObject,
	});

const isProblem = (value: unknown): value is Problem =>
	fits(value, {
		code: isText,
		charged: oneOf('yes', 'no', 'unknown'),
		message: isText,
		description: isText,
		taskId: orAbsent(isText),
		httpStatus: orAbsent(isNumber),
	});

const isOutput = (value: unknown): value is Output =>
	fits(value, {
		simplify: (simplify) => typeof simplify === 'boolean',
		fileField: orAbsent(isText),
	});

/** Adds the model null to values that were stored before there were models. */
const withModel = (value: unknown): unknown =>
	isObject(value) && value.model === undefined ? { ...value, model: null } : value;

/** The seed of a task, also from an unknown form: its id is what matters. */
function seedOf(stored: unknown): TaskSeed {
	const value = withModel(stored);
	if (isSeed(value)) return value;
	if (!isObject(value)) return NO_SEED;
	return {
		taskId: textOf(value.taskId) ?? null,
		model: textOf(value.model) ?? null,
		prompt: textOf(value.prompt) ?? null,
		estimatedCredits: numberOf(value.estimatedCredits),
	};
}

/**
 * One stored result, as far as it can be used; up to version 2 the seed stood under `known`. An
 * unreadable item is an unexpected error, because it may have been paid for.
 */
function resultOf(value: unknown): Result {
	const stored = isObject(value) ? value : {};
	const seed = seedOf(stored.seed ?? stored.known);
	const problem = isProblem(stored.problem) ? stored.problem : undefined;
	const task = withModel(stored.task);
	const isSkipped = stored.isSkipped === true;
	const isLost = seed.taskId === null && !isSkipped;
	return {
		seed,
		...(isTask(task) && { task }),
		...(problem ? { problem } : isLost && { problem: unexpectedError(UNREADABLE, undefined) }),
		...(isSkipped && { isSkipped }),
		...(isData(stored.raw) && { raw: stored.raw }),
		...(isOutput(stored.output) && { output: stored.output }),
		...(stored.isBystander === true && { isBystander: true }),
	};
}

/**
 * The pause in a node's context. `none`: there is none. `unreadable`: one that this version cannot
 * read, such as that of a newer one.
 */
export function readPause(
	context: Readonly<Record<string, unknown>>,
): Pause | 'none' | 'unreadable' {
	const kept: unknown = context[FIELD];
	if (kept === undefined || kept === null) return 'none';
	if (!isObject(kept) || !Array.isArray(kept.results)) return 'unreadable';
	const version = kept.version === undefined ? 1 : numberOf(kept.version);
	if (version === null || !READABLE.includes(version)) return 'unreadable';
	return {
		version,
		runIndex: numberOf(kept.runIndex) ?? -1,
		executionId: textOf(kept.executionId) ?? '',
		pausedAt: numberOf(kept.pausedAt) ?? 0,
		claim: textOf(kept.claim),
		results: kept.results.map(resultOf),
	};
}

/** Keeps a pause in a node's context. */
export function keepPause(context: Record<string, unknown>, pause: Omit<Pause, 'version'>): void {
	context[FIELD] = { version: PAUSE_VERSION, ...pause };
}
