/** The node's parameters, read once per item into typed values; nothing after this file casts them. */
import type { IExecuteFunctions } from 'n8n-workflow';

import type { MetadataEntry } from '../shared/callback';
import { numberOf, isObject, textOf } from '../shared/json';
import { switchOf, type RawFields } from '../shared/videoRequest';
import { POLL_INTERVAL_SECONDS, TIMEOUT_MINUTES } from '../shared/waiting';

/** Whether an AI agent runs the node: the default agent does not say so, but its node type does. */
export function isTool(context: IExecuteFunctions): boolean {
	return context.isToolExecution?.() || context.getNode().type.endsWith('Tool');
}

/** The run of this node within the execution, counted from 0: a loop makes a new one each time. */
export function runIndexOf(context: IExecuteFunctions): number {
	return numberOf(context.evaluateExpression('{{ $runIndex }}', 0)) ?? 0;
}

/** Named parameters of one item, as they are. Throws what an expression throws. */
export function rawFields(
	context: IExecuteFunctions,
	itemIndex: number,
	names: readonly string[],
): RawFields {
	const entries = names.map((name): [string, unknown] => [
		name,
		context.getNodeParameter(name, itemIndex, undefined),
	]);
	return Object.fromEntries(entries);
}

export function textParameter(
	context: IExecuteFunctions,
	itemIndex: number,
	name: string,
	fallback = '',
): string {
	return textOf(context.getNodeParameter(name, itemIndex, fallback)) ?? fallback;
}

function switchParameter(
	context: IExecuteFunctions,
	itemIndex: number,
	name: string,
	fallback: boolean,
): boolean {
	return switchOf(context.getNodeParameter(name, itemIndex, fallback)) ?? fallback;
}

/** How one item is to be given out. */
export interface Output {
	simplify: boolean;
	/** Whether the fields of the input item are added. */
	includeInput?: boolean;
	/** The binary field for the video; undefined for no download. */
	fileField?: string;
}

/**
 * Reads how an item is to be given out. Called before anything is paid for, because an expression that
 * cannot be read throws, and must not take a paid result with it.
 */
export function readOutput(
	context: IExecuteFunctions,
	itemIndex: number,
	downloadsByDefault: boolean,
): Output {
	const simplify = switchParameter(context, itemIndex, 'simplify', true);
	const downloads = switchParameter(context, itemIndex, 'downloadVideo', downloadsByDefault);
	if (!downloads) return { simplify };
	return { simplify, fileField: textParameter(context, itemIndex, 'outputBinaryField', 'data') };
}

/** The entries of Callback Metadata; their values keep the type that their expression gave. */
export function metadataEntries(collection: unknown): MetadataEntry[] {
	const entries: unknown[] =
		isObject(collection) && Array.isArray(collection.values) ? collection.values : [];
	return entries.filter(isObject).map(({ name, value }) => ({ name, value }));
}

/** What an expression that cannot be read says, as one sentence about its field. */
export function unreadable(field: string, error: unknown): string {
	const reason = error instanceof Error ? error.message : String(error);
	return `${field} could not be read: ${reason.replace(/\.$/, '')}.`;
}

export interface Options {
	/** Credits; undefined for no limit. */
	maxCredits?: number;
	/** Videos per group; Infinity for no groups. */
	batchSize: number;
	/** Milliseconds between groups. */
	batchInterval: number;
	/** Minutes. */
	timeout: number;
	/** Seconds. */
	pollInterval: number;
}

/** The Options of the node, from its first item; unusable numbers are named, not guessed. */
export function readOptions(context: IExecuteFunctions): { options: Options; problems: string[] } {
	const problems: string[] = [];
	let given: unknown;
	try {
		given = context.getNodeParameter('options', 0, {});
	} catch (error) {
		problems.push(unreadable('Options', error));
	}
	const fields = isObject(given) ? given : {};
	const batching = isObject(fields.batching) ? fields.batching : {};
	const batch = isObject(batching.batch) ? batching.batch : undefined;
	const read = (label: string, value: unknown, fallback: number, least: number): number => {
		if (value === undefined) return fallback;
		const number = numberOf(value);
		if (number === null || number < least) {
			problems.push(`${label} must be a number of at least ${least}, not "${String(value)}".`);
			return fallback;
		}
		return number;
	};
	const batchSize = batch
		? read('Items per Batch', batch.batchSize, 50, -1)
		: Number.POSITIVE_INFINITY;
	return {
		problems,
		options: {
			maxCredits:
				// A limit whose expression gives nothing is an error, not "no limit".
				Object.hasOwn(fields, 'maxCredits')
					? read('Maximum Credits per Run', fields.maxCredits ?? null, 0, 0)
					: undefined,
			batchSize: batchSize > 0 ? Math.floor(batchSize) : Number.POSITIVE_INFINITY,
			batchInterval: batch ? read('Batch Interval', batch.batchInterval, 1000, 0) : 0,
			timeout: read('Timeout (Minutes)', fields.timeout, TIMEOUT_MINUTES, 0),
			pollInterval: read('Check Every (Seconds)', fields.pollInterval, POLL_INTERVAL_SECONDS, 1),
		},
	};
}
