/**
 * What tells one video from another, so that none is paid for twice. Within an execution a video is
 * known by its run, its item and the node's own settings as they stand in the workflow, never by
 * what an expression gives: that may be another value at each try. As an AI tool, which has no
 * items, it is known by the request itself.
 */
import { createHash } from 'crypto';

import { without } from '../json';
import { DEFAULT_MODEL } from '../task/models';
import { MODEL_FIELD, modelOfBody, PARAMETER_NAMES, type GenerateBody } from '../task/request';

/** The fields of the image, which is no parameter of its own. */
const IMAGE_FIELDS = ['imageSource', 'imageUrl', 'imageBinaryField'];
/** The fields that shape a video. A changed one makes another video at a person's retry. */
const SHAPING_FIELDS: readonly string[] = [...PARAMETER_NAMES, ...IMAGE_FIELDS];
/**
 * Fields that earlier versions of this package did not have, with what n8n fills in: there the key
 * stays what it was for an execution that pauses, or is retried, across an update.
 */
const ADDED_LATER: Readonly<Record<string, unknown>> = {
	[MODEL_FIELD]: DEFAULT_MODEL.value,
	public: false,
	referenceVideos: '',
};

/**
 * Under which a video is remembered, as `run:item:…` but for a tool: the key of now, and those that
 * earlier versions of this package would have used.
 */
export type MemoryKeys = readonly [string, ...string[]];

/** SHA-256 (hex) of a value as JSON. */
function hashOf(value: unknown): string {
	return createHash('sha256').update(JSON.stringify(value)).digest('hex');
}

/**
 * The entries of an object that hold something, by name, so that a parameter that is added later
 * changes no older key.
 */
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
	const names = SHAPING_FIELDS.filter(
		(name) => !(name in ADDED_LATER && parameters[name] === ADDED_LATER[name]),
	);
	return hashOf(entriesOf(parameters, names));
}

/**
 * What makes two requests the same video: SHA-256 (hex) of the body that is sent, less the callback
 * URL. `imageIdentities` stand for input files, whose links differ each time.
 */
export function requestKey(body: GenerateBody, imageIdentities?: readonly string[]): string {
	const video = without(body, 'callback_url');
	const { imagesName } = modelOfBody(body);
	const shaped = imageIdentities ? { ...video, [imagesName]: imageIdentities } : video;
	return hashOf(entriesOf(shaped, Object.keys(shaped)));
}

/** The request key of version 1 of this package: these seven values and no other, for ever. */
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

/** Under which an item is remembered within its execution. */
export function memoryKeysOf({ place, settings, body, imageIdentities }: Identified): MemoryKeys {
	const ofVersion1 = requestKeyOfVersion1(body, imageIdentities);
	if (place === undefined) return [requestKey(body, imageIdentities), ofVersion1];
	return [`${place}:${settings}`, `${place}:${ofVersion1}`];
}

/** What makes two videos the same across executions. */
export interface ListIdentity {
	workflowId: string;
	nodeId: string;
	/** Tells accounts apart; holds no key. */
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

/** The same for the n-th of several equal videos of one execution, counted from 0. */
export function nthIdentity(identity: string, nth: number): string {
	return nth === 0 ? identity : hashOf([identity, nth]);
}
