/**
 * Texts that n8n puts together of several expressions: `A cat in {{ $json.city }}`. Where an
 * expression finds nothing, n8n writes nothing in its place, and what is left looks like a text of
 * a person (docs/n8n-behaviour.md#texts-with-expressions).
 */
import type { IExecuteFunctions } from 'n8n-workflow';

import { isEmpty } from '../../shared/task/values';

const EXPRESSION = /\{\{([\s\S]*?)\}\}/g;

/**
 * Whether one expression gives nothing for an item. One that cannot be read alone is taken to give
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

/** The expressions in a text parameter that have found nothing, or an empty cell. */
export function emptyParts(
	context: IExecuteFunctions,
	place: { path: string; itemIndex: number },
): string[] {
	const parts = templateOf(context, place)?.parts ?? [];
	return parts.filter((part) => isNothing(context, part, place.itemIndex, isEmpty));
}

/**
 * The expressions in a text parameter, when not one of them has found anything: neither a value nor
 * an empty text. `value` is what n8n has made of the parameter; a text with anything in it beside
 * the person's own words has found something.
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
