/** Reads one field of the node. An error names the field by its label, as a person sees it. */
import type { IExecuteFunctions } from 'n8n-workflow';

import { shorten, wellFormed } from '../../shared/text';
import { asText, brokenReason, isEmpty, quote, switchOf } from '../../shared/task/values';
import { labelOf } from '../description/labels';

/** One or several fields that cannot be used, each in a sentence that names its label. */
export class FieldError extends Error {
	constructor(readonly problems: readonly string[]) {
		super(problems.join(' '));
	}
}

/** One sentence about a field whose expression cannot be read. */
function unreadable(field: string, error: unknown): string {
	const reason = error instanceof Error ? error.message : String(error);
	return `${field} could not be read: ${shorten(reason, 200).replace(/\.$/, '')}.`;
}

/** The problems in an error, one sentence per field; any other error becomes one of `elsewhere`. */
export function fieldProblems(error: unknown, elsewhere = 'The settings of this node'): string[] {
	return error instanceof FieldError ? [...error.problems] : [unreadable(elsewhere, error)];
}

/**
 * Runs all readers, also after one has failed, and gives their values by name. Throws one
 * {@link FieldError} with the problems of every one that failed.
 */
export function readTogether<T extends Record<string, () => unknown>>(
	readers: T,
): { [name in keyof T]: ReturnType<T[name]> };
export function readTogether(readers: Record<string, () => unknown>): Record<string, unknown> {
	const problems: string[] = [];
	const entries = Object.entries(readers).map(([name, read]): [string, unknown] => {
		try {
			return [name, read()];
		} catch (error) {
			problems.push(...fieldProblems(error));
			return [name, undefined];
		}
	});
	if (problems.length) throw new FieldError(problems);
	return Object.fromEntries(entries);
}

/** Where a parameter stands, and what its field is called. */
export interface FieldRef {
	itemIndex: number;
	/** Path of the parameter, such as `options.timeout`. */
	path: string;
	label: string;
}

/**
 * The value of one parameter, its text well-formed. Throws a {@link FieldError} for an expression
 * that cannot be read.
 */
export function readValue(
	context: IExecuteFunctions,
	{ itemIndex, path, label }: FieldRef,
	fallback?: unknown,
) {
	let problem: string;
	try {
		const value: unknown = context.getNodeParameter(path, itemIndex, fallback);
		return typeof value === 'string' ? wellFormed(value) : value;
	} catch (error) {
		problem = unreadable(label, error);
	}
	throw new FieldError([problem]);
}

/**
 * The field of a parameter. `name` is its path, such as `options.timeout`; the label comes from
 * labels.ts.
 */
export const fieldRef = (itemIndex: number, name: string): FieldRef => ({
	itemIndex,
	path: name,
	label: labelOf(name),
});

/**
 * The text of a parameter; `fallback` where it is empty.
 * Throws a {@link FieldError} where it cannot be read, or is no text.
 */
export function textParameter(
	context: IExecuteFunctions,
	itemIndex: number,
	name: string,
	fallback = '',
): string {
	const place = fieldRef(itemIndex, name);
	const value = readValue(context, place, fallback);
	if (isEmpty(value)) return fallback;
	const broken = brokenReason(value);
	if (broken) throw new FieldError([`${place.label} ${broken}.`]);
	return (asText(value) ?? fallback).trim();
}

/**
 * The value of a dropdown, from these; the first where it is empty.
 * Throws a {@link FieldError} where it cannot be read, or is none of them.
 */
export function choiceParameter<T extends string>(
	context: IExecuteFunctions,
	itemIndex: number,
	name: string,
	choices: readonly [T, ...T[]],
): T {
	const given = textParameter(context, itemIndex, name, choices[0]);
	const found = choices.find((choice) => choice === given);
	if (found !== undefined) return found;
	throw new FieldError([
		`${labelOf(name)} ${quote(given)} is not supported. Allowed: ${choices.join(', ')}.`,
	]);
}

/**
 * A switch; `fallback` where it is empty, or is a word that is neither on nor off: a setting of the
 * output is no reason to hold back a paid video. Throws a {@link FieldError} where it cannot be
 * read.
 */
export function switchParameter(
	context: IExecuteFunctions,
	itemIndex: number,
	path: string,
	fallback: boolean,
): boolean {
	return switchOf(readValue(context, fieldRef(itemIndex, path), fallback)) ?? fallback;
}
