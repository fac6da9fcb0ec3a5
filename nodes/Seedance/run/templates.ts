/**
 * Texts that n8n composes of words and expressions: `A cat in {{ $json.city }}`. For an expression
 * without a value n8n writes nothing, so that the rest looks like a text of a person
 * (docs/n8n-behaviour.md#texts-with-expressions).
 */
import type { IExecuteFunctions } from 'n8n-workflow';

import { isEmpty } from '../../shared/task/values';

const EXPRESSION = /\{\{([\s\S]*?)\}\}/g;

/**
 * Whether one expression gives nothing for an item. One that cannot be read alone counts as giving
 * something.
 */
function isNothing(
	context: IExecuteFunctions,
	expression: string,
	itemIndex: number,
	isNone: (value: unknown) => boolean = (value) => value === undefined || value === null,
): boolean {
	try {
		return isNone(context.evaluateExpression(expression, itemIndex));
	} catch {
		return false;
	}
}

/** A text parameter as it stands in the workflow: its own words, and its expressions. */
function templateOf(
	context: IExecuteFunctions,
	{ path, itemIndex }: { path: string; itemIndex: number },
): { words: string; parts: string[] } | undefined {
	const stored: unknown = context.getNodeParameter(path, itemIndex, '', { rawExpressions: true });
	if (typeof stored !== 'string' || !stored.startsWith('=')) return undefined;
	const parts = [...stored.matchAll(EXPRESSION)].map(([part]) => part);
	return { words: stored.slice(1).replace(EXPRESSION, ''), parts };
}

/** The expressions in a text parameter without a value, or with an empty one. */
export function emptyParts(
	context: IExecuteFunctions,
	place: { path: string; itemIndex: number },
): string[] {
	const parts = templateOf(context, place)?.parts ?? [];
	return parts.filter((part) => isNothing(context, part, place.itemIndex, isEmpty));
}

/**
 * The expressions in a text parameter when none of them has a value, not even an empty text; else
 * an empty list. `value` is the evaluated parameter: if it differs from the person's own words,
 * some expression has a value.
 */
export function missingParts(
	context: IExecuteFunctions,
	place: { path: string; itemIndex: number },
	value: unknown,
): string[] {
	const template = templateOf(context, place);
	if (!template?.words.trim() || value !== template.words) return [];
	const { parts } = template;
	return parts.every((part) => isNothing(context, part, place.itemIndex)) ? parts : [];
}
