/**
 * From one input item to a request that may be sent: everything about it is checked before anything
 * is paid for.
 */
import type { Credential } from '../../shared/api/credential';
import { keysOf, settingsKey, type Keys } from '../../shared/idempotency/identity';
import { invalidInput, type Problem } from '../../shared/task/errors';
import { creditsOf } from '../../shared/task/models';
import {
	checkVideoRequest,
	PARAMETER_NAMES,
	requestBody,
	type GenerateBody,
} from '../../shared/task/request';
import type { TaskSeed } from '../../shared/task/task';
import type { Checked } from '../../shared/task/values';
import { accountOf, isShared, readSameVideo, wantedOf, type Wanted } from '../videoList/wishes';
import { imageLink } from './imageLink';
import { itemCredential } from './itemCredential';
import { NO_SEED } from './result';
import {
	choiceParameter,
	fieldProblems,
	rawFields,
	readOutput,
	readTogether,
	textParameter,
	type Output,
} from './parameters';
import type { Run } from './run';

/** An item that may be sent. */
export interface Prepared {
	itemIndex: number;
	body: GenerateBody;
	/** By the price table. */
	credits: number;
	credential: Credential;
	keys: Keys;
	seed: TaskSeed;
	output: Output;
	/** What the list of videos knows it by; undefined where the list is off. */
	listed?: Wanted;
}

/** An item that cannot be sent, and what is wrong with it. */
export interface Unusable {
	itemIndex: number;
	seed: TaskSeed;
	problem: Problem;
}

/**
 * The address to which the end of an item's task is told; undefined for none. May throw what an
 * expression throws.
 */
export type CallbackOf = (itemIndex: number, credential: Credential) => Checked<string | undefined>;

/** A checked value; where it was refused, perhaps with what to do about it. */
type Advised<T> = Checked<T> & { advice?: string };

/** Where the image of an item comes from. */
const IMAGE_SOURCES = ['none', 'url', 'binary'] as const;
type ImageSource = (typeof IMAGE_SOURCES)[number];

/** The image of an item: its link, and what identifies a file whose link differs each time. */
interface Image {
	imageUrl?: unknown;
	identity?: string;
	contentHash?: () => Promise<string>;
}

async function readImage(
	{ context }: Run,
	itemIndex: number,
	{ reach }: Credential,
	source: ImageSource,
): Promise<Advised<Image>> {
	switch (source) {
		case 'none':
			return { ok: true, value: {} };
		case 'url':
			return { ok: true, value: rawFields(context, itemIndex, ['imageUrl']) };
		case 'binary': {
			const field = textParameter(context, itemIndex, 'imageBinaryField', 'data');
			const link = await imageLink(context, itemIndex, field, reach);
			if ('problem' in link) return { ok: false, problems: [link.problem], advice: link.advice };
			return { ok: true, value: { ...link, imageUrl: link.url } };
		}
	}
}

/** A value whose reading may throw, as one that was refused with its reasons. */
async function checked<T>(read: () => Advised<T> | Promise<Advised<T>>): Promise<Advised<T>> {
	try {
		return await read();
	} catch (error) {
		return { ok: false, problems: fieldProblems(error) };
	}
}

const NEEDS_LIST =
	'Reuse Key, Always Reuse and Skip need the list of videos, but Options > Keep Video List is off. Turn it on, or remove them.';

/** What is the same for all items. */
interface ForAll {
	/** See {@link settingsKey}. */
	settings: string;
	/** Tells accounts apart; absent where the list of videos is off. */
	accountOf?: (credential: Credential) => string;
}

/** Reads and checks one item. Gives all that is wrong with it at once. Never throws. */
async function prepare(
	run: Run,
	itemIndex: number,
	callbackOf: CallbackOf,
	{ settings, accountOf }: ForAll,
): Promise<Prepared | Unusable> {
	const { context } = run;
	let seed = NO_SEED;
	try {
		const { raw, output, source, sameVideo } = readTogether({
			raw: () => {
				const fields = rawFields(context, itemIndex, PARAMETER_NAMES);
				seed = { ...seed, prompt: typeof fields.prompt === 'string' ? fields.prompt : null };
				return fields;
			},
			output: () => readOutput(context, itemIndex, true),
			source: () => choiceParameter(context, itemIndex, 'imageSource', IMAGE_SOURCES),
			sameVideo: () => readSameVideo(run, itemIndex),
		});
		const found = await itemCredential(run, itemIndex);
		if ('problem' in found) return { itemIndex, seed, problem: found.problem };
		const { credential } = found;
		const image = await checked(() => readImage(run, itemIndex, credential, source));
		const link = image.ok && 'imageUrl' in image.value ? { imageUrl: image.value.imageUrl } : {};
		const request = checkVideoRequest({ ...raw, ...link }, credential.reach);
		const callback = await checked(() => callbackOf(itemIndex, credential));
		const list: Advised<undefined> =
			accountOf || !isShared(sameVideo)
				? { ok: true, value: undefined }
				: { ok: false, problems: [NEEDS_LIST] };
		const all = [request, image, callback, list];
		if (!request.ok || !image.ok || !callback.ok || !list.ok) {
			const problems = all.flatMap((one) => (one.ok ? [] : one.problems));
			return { itemIndex, seed, problem: invalidInput(problems, image.advice) };
		}
		const body = requestBody({ ...request.value, callbackUrl: callback.value });
		const credits = creditsOf(request.value);
		const imageHash = accountOf && (await image.value.contentHash?.());
		const listed =
			accountOf && wantedOf(run, sameVideo, accountOf(credential), { body, imageHash });
		const place = run.isTool ? undefined : `${run.runIndex}:${itemIndex}`;
		return {
			itemIndex,
			body,
			credits,
			credential,
			keys: keysOf({ place, settings, body, imageIdentity: image.value.identity }),
			seed: { taskId: null, prompt: request.value.prompt, estimatedCredits: credits },
			output,
			...(listed && { listed }),
		};
	} catch (error) {
		return { itemIndex, seed, problem: invalidInput(fieldProblems(error)) };
	}
}

/**
 * Reads and checks all items, in order, for the list of videos as well where it is on. Throws
 * nothing but what nobody foresaw.
 */
export async function prepareAll(
	run: Run,
	callbackOf: CallbackOf,
	isListed: boolean,
): Promise<Array<Prepared | Unusable>> {
	const forAll: ForAll = {
		settings: settingsKey(run.node.parameters),
		...(isListed && { accountOf: await accountOf(run) }),
	};
	const items: Array<Prepared | Unusable> = [];
	for (const itemIndex of run.input.keys()) {
		items.push(await prepare(run, itemIndex, callbackOf, forAll));
	}
	return items;
}
