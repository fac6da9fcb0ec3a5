/**
 * Turns an input item into a request that may be sent. Everything is checked before anything is
 * paid for.
 */
import { DEFAULT_BASE_URL, type Credential } from '../../shared/api/credential';
import { baseUrlOf } from '../../shared/api/versions';
import { memoryKeysOf, settingsKey, type MemoryKeys } from '../../shared/idempotency/identity';
import { invalidInput, type Problem } from '../../shared/task/errors';
import { creditsOf, type Model } from '../../shared/task/models';
import {
	checkVideoRequest,
	PARAMETER_NAMES,
	requestBody,
	settingsOf,
	type GenerateBody,
} from '../../shared/task/request';
import type { TaskSeed } from '../../shared/task/taskItem';
import type { Checked } from '../../shared/task/values';
import {
	accountIdResolver,
	isShared,
	readSameVideo,
	videoIdentityOf,
	type VideoIdentity,
} from '../videoList/sameVideo';
import { imageLink, type ImageLink } from './imageLink';
import { itemCredential } from './itemCredential';
import { NO_SEED } from './result';
import {
	choiceParameter,
	fieldProblems,
	outputOfRefused,
	videoFields,
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
	model: Model;
	body: GenerateBody;
	/** By the price table. */
	credits: number;
	credential: Credential;
	keys: MemoryKeys;
	seed: TaskSeed;
	output: Output;
	/** Its identity in the list of videos; undefined where the list is off. */
	listed?: VideoIdentity;
}

/** An item that cannot be sent, and what is wrong with it. */
export interface Unusable {
	itemIndex: number;
	seed: TaskSeed;
	problem: Problem;
	output: Output;
}

/**
 * Gives the callback URL for an item's task; undefined for none. May throw what an expression
 * throws.
 */
export type CallbackOf = (itemIndex: number, credential: Credential) => Checked<string | undefined>;

/** A checked value. A refused one may have advice. */
type Advised<T> = Checked<T> & { advice?: string };

/** Where the image of an item comes from. */
const IMAGE_SOURCES = ['none', 'url', 'binary'] as const;
type ImageSource = (typeof IMAGE_SOURCES)[number];

/** The images of an item: their links, and identities for files, whose links differ each time. */
interface Images {
	imageUrl?: unknown;
	identities?: string[];
	contentHashes?: () => Promise<string[]>;
}

async function readImages(
	{ context }: Run,
	itemIndex: number,
	{ reach }: Credential,
	source: ImageSource,
): Promise<Advised<Images>> {
	switch (source) {
		case 'none':
			return { ok: true, value: {} };
		case 'url':
			return { ok: true, value: rawFields(context, itemIndex, ['imageUrl']) };
		case 'binary': {
			const fields = textParameter(context, itemIndex, 'imageBinaryField', 'data').split(',');
			const links: Array<Exclude<ImageLink, { problem: string }>> = [];
			for (const field of fields) {
				const link = await imageLink(context, itemIndex, field.trim(), reach);
				if ('problem' in link) return { ok: false, problems: [link.problem], advice: link.advice };
				links.push(link);
			}
			return {
				ok: true,
				value: {
					imageUrl: links.map(({ url }) => url),
					identities: links.map(({ identity }) => identity),
					contentHashes: async () =>
						await Promise.all(links.map(async ({ contentHash }) => await contentHash())),
				},
			};
		}
	}
}

/** Runs a read that may throw; its error becomes a refused value with the reasons. */
async function checked<T>(read: () => Advised<T> | Promise<Advised<T>>): Promise<Advised<T>> {
	try {
		return await read();
	} catch (error) {
		return { ok: false, problems: fieldProblems(error) };
	}
}

const NEEDS_LIST =
	'Reuse Key, Always Reuse and Skip need the list of videos, but Options > Keep Video List is off. Turn it on, or remove them.';

/** Why the model has no address with this credential; empty where it has one. */
function unservedProblem(model: Model, credential: Credential): string[] {
	if (baseUrlOf(credential, model.version) !== undefined) return [];
	return [
		`${model.label} is served at /${model.version} of the API. The base URL in the credential does not end in /v1, so that address is not known. Set it to ${DEFAULT_BASE_URL}, or choose another Model.`,
	];
}

/** Facts that are the same for all items. */
interface ForAll {
	/** See {@link settingsKey}. */
	settings: string;
	/** Identifies accounts; absent where the list of videos is off. */
	accountOf?: (credential: Credential) => string;
}

/** Reads and checks one item. Gives every problem at once. Never throws. */
async function prepare(
	run: Run,
	itemIndex: number,
	callbackOf: CallbackOf,
	{ settings, accountOf }: ForAll,
): Promise<Prepared | Omit<Unusable, 'output'>> {
	const { context } = run;
	let seed = NO_SEED;
	try {
		const { raw, output, source, sameVideo } = readTogether({
			raw: () => {
				const fields = videoFields(context, itemIndex, PARAMETER_NAMES);
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
		const image = await checked(() => readImages(run, itemIndex, credential, source));
		const link = image.ok && 'imageUrl' in image.value ? { imageUrl: image.value.imageUrl } : {};
		const areFiles = source === 'binary';
		const request = checkVideoRequest({ ...raw, ...link }, credential.reach, areFiles);
		const callback = await checked(() => callbackOf(itemIndex, credential));
		const others = [
			...(accountOf || !isShared(sameVideo) ? [] : [NEEDS_LIST]),
			...(request.ok ? unservedProblem(request.value.model, credential) : []),
		];
		if (!request.ok || !image.ok || !callback.ok || others.length) {
			const all = [request, image, callback];
			const problems = [...all.flatMap((one) => (one.ok ? [] : one.problems)), ...others];
			return { itemIndex, seed, problem: invalidInput(problems, image.advice) };
		}
		const body = requestBody({ ...request.value, callbackUrl: callback.value });
		const { model } = request.value;
		const credits = creditsOf(settingsOf(request.value));
		const imageHashes = accountOf && (await image.value.contentHashes?.());
		const listed =
			accountOf && videoIdentityOf(run, sameVideo, accountOf(credential), { body, imageHashes });
		const place = run.isTool ? undefined : `${run.runIndex}:${itemIndex}`;
		return {
			itemIndex,
			body,
			credits,
			credential,
			model,
			keys: memoryKeysOf({ place, settings, body, imageIdentities: image.value.identities }),
			seed: {
				taskId: null,
				model: model.value,
				prompt: request.value.prompt,
				estimatedCredits: credits,
			},
			output,
			...(listed && { listed }),
		};
	} catch (error) {
		return { itemIndex, seed, problem: invalidInput(fieldProblems(error)) };
	}
}

/**
 * Reads and checks all items, in order; with `isListed` also their identities in the list of
 * videos. Throws an unexpected error only.
 */
export async function prepareAll(
	run: Run,
	callbackOf: CallbackOf,
	isListed: boolean,
): Promise<Array<Prepared | Unusable>> {
	const forAll: ForAll = {
		settings: settingsKey(run.node.parameters),
		...(isListed && { accountOf: await accountIdResolver(run) }),
	};
	const items: Array<Prepared | Unusable> = [];
	for (const itemIndex of run.input.keys()) {
		const one = await prepare(run, itemIndex, callbackOf, forAll);
		const isUsable = !('problem' in one);
		items.push(isUsable ? one : { ...one, output: outputOfRefused(run.context, itemIndex) });
	}
	return items;
}
