/** The node's parameters, read once per item into typed values; no other file casts them. */
import type { IExecuteFunctions, INode } from 'n8n-workflow';

import type { MetadataEntry } from '../../shared/callback/signature';
import { isObject, numberOf } from '../../shared/json';
import { shorten } from '../../shared/text';
import { MODEL_FIELD, withoutForeignDefaults, type RawFields } from '../../shared/task/request';
import {
	FieldError,
	fieldProblems,
	fieldRef,
	readTogether,
	switchParameter,
	textParameter,
	readValue,
	type FieldRef,
} from './fieldReading';
import { labelOf } from '../description/labels';
import { missingParts } from './templates';

export { choiceParameter, fieldProblems, readTogether, textParameter } from './fieldReading';
export { readOptions, waitMethodOf, type Options } from './options';

/** Whether an AI agent runs the node (docs/n8n-behaviour.md#tools-of-an-agent). */
export function isTool(context: IExecuteFunctions, { type }: INode): boolean {
	return context.isToolExecution?.() || type.endsWith('Tool');
}

/** The run of this node within the execution, counted from 0: a loop makes a new one each time. */
export function runIndexOf(context: IExecuteFunctions): number {
	return numberOf(context.evaluateExpression('{{ $runIndex }}', 0)) ?? 0;
}

/**
 * Texts that may be composed of several expressions. If none of these has a value, the remaining
 * words are not what a person meant.
 */
const COMPOSED = ['prompt', 'imageUrl', 'callbackUrl'];

function fieldAt(context: IExecuteFunctions, itemIndex: number, name: string): unknown {
	if (name === 'callbackMetadata') return metadataAt(context, itemIndex);
	const place = fieldRef(itemIndex, name);
	// A field that the editor does not show for the model has no value.
	const value = readValue(context, place, null);
	const missing = COMPOSED.includes(name) ? missingParts(context, place, value) : [];
	if (missing.length === 0) return value;
	throw new FieldError([
		`${place.label} is incomplete: this item has no value for ${missing.join(' and ')}. Check the names, or end each with ?? "" where it may be empty.`,
	]);
}

/**
 * Named parameters of one item, unchecked, their texts well-formed. Throws a {@link FieldError}
 * that names every field that cannot be read.
 */
export function rawFields(
	context: IExecuteFunctions,
	itemIndex: number,
	names: readonly string[],
): RawFields {
	return readTogether(
		Object.fromEntries(names.map((name) => [name, () => fieldAt(context, itemIndex, name)])),
	);
}

/**
 * The parameters of a video. For a model from an expression, n8n fills in defaults that it may not
 * take (docs/n8n-behaviour.md#fields-that-depend-on-another): those are left out. A default that it
 * takes counts, because the editor shows it. Throws a {@link FieldError} that names every field
 * that cannot be read.
 */
export function videoFields(
	context: IExecuteFunctions,
	itemIndex: number,
	names: readonly string[],
): RawFields {
	const raw = rawFields(context, itemIndex, names);
	const { parameters } = context.getNode();
	const isKnown = !String(parameters[MODEL_FIELD]).startsWith('=');
	return isKnown ? raw : withoutForeignDefaults(raw, parameters);
}

/**
 * The parts of Callback Metadata as they stand in the workflow, each labelled with its name, or its
 * number.
 */
function metadataPlaces(context: IExecuteFunctions, itemIndex: number): FieldRef[] {
	const path = 'callbackMetadata';
	return metadataEntries(context.getNode().parameters[path]).flatMap(({ name }, index) => {
		const called = typeof name === 'string' && !name.startsWith('=') ? name : String(index + 1);
		const label = `${labelOf(path)} "${shorten(called, 40)}"`;
		return ['name', 'value'].map(
			(part): FieldRef => ({
				itemIndex,
				path: `${path}.values[${index}].${part}`,
				label,
			}),
		);
	});
}

/**
 * Callback Metadata of one item. Throws a {@link FieldError} that names the parts that cannot be
 * read.
 */
function metadataAt(context: IExecuteFunctions, itemIndex: number): unknown {
	let problems: readonly string[];
	try {
		return readValue(context, fieldRef(itemIndex, 'callbackMetadata'));
	} catch (error) {
		problems = fieldProblems(error);
	}
	// One part cannot be read. Each is read alone, so that the message names the right one.
	readTogether(
		Object.fromEntries(
			metadataPlaces(context, itemIndex).map((place) => [
				place.path,
				() => readValue(context, place, ''),
			]),
		),
	);
	throw new FieldError(problems);
}

/** How one item is output. */
export interface Output {
	simplify: boolean;
	/** The binary field for the video; undefined for no download. */
	fileField?: string;
	/** Whether the fields of the input item are added; those of Seedance win. */
	includeInput: boolean;
}

/**
 * Reads how an item is output. Call it before anything is paid for: a broken expression throws a
 * {@link FieldError}, which must not cost a paid result.
 */
export function readOutput(
	context: IExecuteFunctions,
	itemIndex: number,
	downloadsByDefault: boolean,
): Output {
	const { simplify, fileField, includeInput } = readTogether({
		simplify: () => switchParameter(context, itemIndex, 'simplify', true),
		fileField: () =>
			switchParameter(context, itemIndex, 'downloadVideo', downloadsByDefault)
				? textParameter(context, itemIndex, 'outputBinaryField', 'data')
				: undefined,
		includeInput: () => switchParameter(context, itemIndex, 'options.includeInput', false),
	});
	return { simplify, includeInput, ...(fileField !== undefined && { fileField }) };
}

/**
 * How an item that was refused is output: with its input fields, where the option can be read and
 * says so. Never throws.
 */
export function outputOfRefused(context: IExecuteFunctions, itemIndex: number): Output {
	try {
		const includeInput = switchParameter(context, itemIndex, 'options.includeInput', false);
		return { simplify: true, includeInput };
	} catch {
		return { simplify: true, includeInput: false };
	}
}

/** The entries of Callback Metadata; their values keep the type that their expression gave. */
export function metadataEntries(collection: unknown): MetadataEntry[] {
	const entries: unknown[] =
		isObject(collection) && Array.isArray(collection.values) ? collection.values : [];
	return entries.filter(isObject).map(({ name, value }) => ({ name, value }));
}
