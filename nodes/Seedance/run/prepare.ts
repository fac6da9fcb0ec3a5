/** From one input item to a request that may be sent: everything about it is checked before anything is paid for. */
import { createHash } from 'crypto';
import type { IExecuteFunctions } from 'n8n-workflow';

import type { Credential } from '../../shared/api/client';
import { invalidInput, type Problem } from '../../shared/task/errors';
import type { MemoryKeys } from '../../shared/idempotency/executionMemory';
import { creditsOf } from '../../shared/task/models';
import type { TaskSeed } from '../../shared/task/task';
import {
	checkVideoRequest,
	requestKey,
	type Checked,
	type VideoRequest,
} from '../../shared/task/request';
import { itemCredential } from './itemCredential';
import { imageLink } from './imageLink';
import {
	choiceParameter,
	fieldProblems,
	rawFields,
	readOutput,
	readTogether,
	textParameter,
	type Output,
} from './parameters';
import { NO_SEED } from './output';
import type { Run } from './run';

/** The parameters that every video has. */
const VIDEO_FIELDS = [
	'prompt',
	'aspectRatio',
	'resolution',
	'duration',
	'generateAudio',
	'fixedLens',
] as const;

/** The parameters that shape a video: the ones read here, and nothing else. A changed one makes another video at a retry. */
const SHAPING_FIELDS = [...VIDEO_FIELDS, 'imageSource', 'imageUrl', 'imageBinaryField'] as const;

/** An item that may be sent. */
export interface Prepared {
	itemIndex: number;
	request: VideoRequest;
	credential: Credential;
	memoryKeys: MemoryKeys;
	seed: TaskSeed;
	output: Output;
}

/** The address to which the end of an item's task is told; undefined for none. May throw what an expression throws. */
export type CallbackOf = (itemIndex: number, credential: Credential) => Checked<string | undefined>;

/**
 * SHA-256 (hex) of the settings that shape a video, as they stand in the workflow: expressions unevaluated, because what they
 * give may differ at each try, and that is no other video.
 */
export function settingsKey(context: IExecuteFunctions): string {
	const { parameters } = context.getNode();
	const settings = SHAPING_FIELDS.map((name) => parameters[name] ?? null);
	return createHash('sha256').update(JSON.stringify(settings)).digest('hex');
}

/** Under which an item is remembered. Version 1 of this package took the evaluated request for it. */
function memoryKeysOf(run: Run, itemIndex: number, settings: string, request: string): MemoryKeys {
	if (run.isTool) return [request];
	const place = `${run.runIndex}:${itemIndex}`;
	return [`${place}:${settings}`, `${place}:${request}`];
}

/** A checked value; where it was refused, perhaps with what to do about it. */
type Told<T> = Checked<T> & { advice?: string };

/** Where the image of an item comes from. */
const IMAGE_SOURCES = ['none', 'url', 'binary'] as const;

/** The image of an item: its link, and what identifies a file whose link differs each time. */
async function readImage(
	{ context }: Run,
	itemIndex: number,
	credential: Credential,
	source: (typeof IMAGE_SOURCES)[number],
): Promise<Told<{ imageUrl?: unknown; identity?: string }>> {
	switch (source) {
		case 'none':
			return { ok: true, value: {} };
		case 'url':
			return { ok: true, value: rawFields(context, itemIndex, ['imageUrl']) };
		case 'binary': {
			const field = textParameter(context, itemIndex, 'imageBinaryField', 'data');
			const link = await imageLink(context, itemIndex, field, credential.reach);
			if ('problem' in link) return { ok: false, problems: [link.problem], advice: link.advice };
			return { ok: true, value: { imageUrl: link.url, identity: link.identity } };
		}
	}
}

/** A value that may fail to be read, as one that was refused with its reasons. */
async function told<T>(read: () => Promise<Told<T>>): Promise<Told<T>> {
	try {
		return await read();
	} catch (error) {
		return { ok: false, problems: fieldProblems(error) };
	}
}

/**
 * Reads and checks one item. Gives all that is wrong with it at once. Never throws. `settings`: see {@link settingsKey}.
 */
export async function prepare(
	run: Run,
	itemIndex: number,
	settings: string,
	callbackOf: CallbackOf,
): Promise<Prepared | { seed: TaskSeed; problem: Problem }> {
	const { context } = run;
	let seed = NO_SEED;
	try {
		const { raw, output, source } = readTogether({
			raw: () => {
				const fields = rawFields(context, itemIndex, VIDEO_FIELDS);
				seed = { ...seed, prompt: typeof fields.prompt === 'string' ? fields.prompt : null };
				return fields;
			},
			output: () => readOutput(context, itemIndex, true),
			source: () => choiceParameter(context, itemIndex, 'imageSource', IMAGE_SOURCES),
		});
		const found = await itemCredential(context, itemIndex);
		if ('problem' in found) return { seed, problem: found.problem };
		const { credential } = found;
		const image = await told(async () => await readImage(run, itemIndex, credential, source));
		const link = image.ok && 'imageUrl' in image.value ? { imageUrl: image.value.imageUrl } : {};
		const checked = checkVideoRequest({ ...raw, ...link }, credential.reach);
		const callback = await told(
			async () => await Promise.resolve(callbackOf(itemIndex, credential)),
		);
		if (!checked.ok || !image.ok || !callback.ok) {
			const problems = [checked, image, callback].flatMap((one) => (one.ok ? [] : one.problems));
			return { seed, problem: invalidInput(problems, image.advice) };
		}
		const request = { ...checked.value, callbackUrl: callback.value };
		const requestHash = requestKey(request, image.value.identity);
		return {
			itemIndex,
			request,
			credential,
			memoryKeys: memoryKeysOf(run, itemIndex, settings, requestHash),
			seed: { taskId: null, prompt: request.prompt, estimatedCredits: creditsOf(request) },
			output,
		};
	} catch (error) {
		return { seed, problem: invalidInput(fieldProblems(error)) };
	}
}
