/**
 * The keys by which a video is recognised, so that none is paid for twice. Within an execution: its
 * run, its item and the node's settings as they stand in the workflow, because an expression may
 * give another value at each try. For an AI tool, which has no items: the request itself.
 */
import { createHash } from 'crypto';

import { without } from '../json';
import { DEFAULT_MODEL } from '../task/models';
import { MODEL_FIELD, modelOfBody, PARAMETER_NAMES, type GenerateBody } from '../task/request';

/** The fields of the image, which is no parameter of its own. */
const IMAGE_FIELDS = ['imageSource', 'imageUrl', 'imageBinaryField'];
/** The fields of the first release that shape a video. These count always, and the list never grows. */
const FIRST_FIELDS: readonly string[] = [
	'prompt',
	'aspectRatio',
	'resolution',
	'duration',
	'generateAudio',
	'fixedLens',
	...IMAGE_FIELDS,
];
/** The fields that shape a video. A changed one makes another video at a person's retry. */
const SHAPING_FIELDS: readonly string[] = [...new Set([...PARAMETER_NAMES, ...FIRST_FIELDS])];
/** Values of a field that ask for nothing. */
const UNSET: readonly unknown[] = ['', false, 0];

/**
 * Whether a field counts. One that was added later does not while it has its default, which n8n
 * fills in: so the key stays the same when a paused or retried execution goes on after an update.
 */
function counts(name: string, value: unknown): boolean {
	if (FIRST_FIELDS.includes(name)) return true;
	return name === MODEL_FIELD ? value !== DEFAULT_MODEL.value : !UNSET.includes(value);
}

/**
 * The keys of a video in the memory, `run:item:…` except for a tool: the present one, and those of
 * earlier versions of this package.
 */
export type MemoryKeys = readonly [string, ...string[]];

/** SHA-256 (hex) of a value as JSON. */
function hashOf(value: unknown): string {
	return createHash('sha256').update(JSON.stringify(value)).digest('hex');
}

/** The entries of an object that hold a value, by name: an absent parameter changes no key. */
function entriesOf(values: Readonly<Record<string, unknown>>, names: readonly string[]) {
	return names
		.filter((name) => values[name] !== undefined && values[name] !== null)
		.sort()
		.map((name) => [name, values[name]]);
}

/**
 * SHA-256 (hex) of a node's settings that shape a video, as they stand in the workflow: expressions
 * unevaluated.
 */
export function settingsKey(parameters: Readonly<Record<string, unknown>>): string {
	const names = SHAPING_FIELDS.filter((name) => counts(name, parameters[name]));
	return hashOf(entriesOf(parameters, names));
}

/**
 * The key of a request: SHA-256 (hex) of its body, without the callback URL. Equal keys are the
 * same video. `imageIdentities` stand for input files, whose links differ each time.
 */
export function requestKey(body: GenerateBody, imageIdentities?: readonly string[]): string {
	const video = without(body, 'callback_url');
	const { imagesName } = modelOfBody(body);
	const shaped = imageIdentities ? { ...video, [imagesName]: imageIdentities } : video;
	return hashOf(entriesOf(shaped, Object.keys(shaped)));
}

/** The request key of version 1 of this package: these seven values, and never others. */
function requestKeyOfVersion1(body: GenerateBody, imageIdentities?: readonly string[]): string {
	const [imageUrl = null]: unknown[] = Array.isArray(body.image_urls) ? body.image_urls : [];
	return hashOf([
		body.prompt,
		body.aspect_ratio,
		body.resolution,
		body.duration,
		body.generate_audio ?? false,
		body.fixed_lens ?? false,
		imageIdentities?.[0] ?? imageUrl,
	]);
}

/** One item of one run, and what it asks for. */
export interface Identified {
	/** `run:item`; undefined for an AI tool. */
	place?: string;
	/** See {@link settingsKey}. */
	settings: string;
	body: GenerateBody;
	imageIdentities?: readonly string[];
}

/** The keys of an item in the memory of its execution. */
export function memoryKeysOf({ place, settings, body, imageIdentities }: Identified): MemoryKeys {
	const ofVersion1 = requestKeyOfVersion1(body, imageIdentities);
	if (place === undefined) return [requestKey(body, imageIdentities), ofVersion1];
	return [`${place}:${settings}`, `${place}:${ofVersion1}`];
}

/** What makes two videos the same across executions. */
export interface ListIdentity {
	workflowId: string;
	nodeId: string;
	/** Identifies the account; holds no key. */
	account: string;
	/** The Reuse Key, where there is one … */
	videoKey?: string;
	/** … else the request (see {@link requestKey}). */
	settings?: string;
}

/** SHA-256 (hex) of what makes two videos the same across executions. */
export function listIdentity({ workflowId, nodeId, account, videoKey, settings }: ListIdentity) {
	const same = videoKey === undefined ? ['settings', settings] : ['key', videoKey];
	return hashOf(['video', workflowId, nodeId, account, ...same]);
}

/** The identity of the n-th of several equal videos of one execution, counted from 0. */
export function nthIdentity(identity: string, nth: number): string {
	return nth === 0 ? identity : hashOf([identity, nth]);
}
