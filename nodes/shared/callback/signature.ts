/**
 * Callback URLs: signed when a video is started, checked when the callback comes. The API signs
 * nothing, so this package does (docs/api-contract.md#signature-of-a-callback).
 *
 * Rule that must not regress: the signature covers the metadata, and is compared in constant time.
 */
import { createHmac, timingSafeEqual } from 'crypto';
import type { IDataObject } from 'n8n-workflow';

import { isObject, textOf } from '../json';
import { isResumeUrl, wrongAddressReason } from './address';
import { checkCallbackLink } from '../task/links';
import type { ApiReach } from '../task/publicUrl';
import { shorten, wellFormed } from '../text';
import { brokenReason, isDate, quote, type Checked } from '../task/values';

export { isTestUrl } from './address';

/** Characters of a callback URL as it is sent, with metadata and signature. */
export const CALLBACK_URL_MAX_LENGTH = 2000;
/** Bytes of the metadata as JSON. */
export const METADATA_MAX_BYTES = 1000;

/** Names of the query values that are appended to a callback URL. */
const META = 'seedance_meta';
const SIGNATURE = 'seedance_sig';

/** A SHA-256 in base64url, without padding. */
const SIGNATURE_FORM = /^[\w-]{43}$/;
/** base64url of at most {@link METADATA_MAX_BYTES} bytes. */
const META_FORM = new RegExp(`^[\\w-]{0,${Math.ceil((METADATA_MAX_BYTES * 4) / 3)}}$`);

/** The signature of a metadata text (base64url JSON, or nothing) with an account's API key. */
function signatureOf(meta: string, apiKey: string): string {
	const key = createHmac('sha256', apiKey.trim()).update('n8n-nodes-seedance/callback').digest();
	return createHmac('sha256', key).update(`v1\n${meta}`).digest('base64url');
}

/** Appends to a URL's query as text, because parsing and printing could change the user's URL. */
function withQuery(url: string, addition: string): string {
	const hash = url.indexOf('#');
	const [address, fragment] = hash < 0 ? [url, ''] : [url.slice(0, hash), url.slice(hash)];
	const joint = !address.includes('?') ? '?' : /[?&]$/.test(address) ? '' : '&';
	return `${address}${joint}${addition}${fragment}`;
}

/** One entry of the field Callback Metadata, of any type. */
export interface MetadataEntry {
	name: unknown;
	value: unknown;
}

/**
 * Why a value cannot be metadata: a broken expression, a date or a function. Objects and lists are
 * fine.
 */
function brokenMetadata(value: unknown): string | undefined {
	if (typeof value === 'number' || typeof value === 'string') return brokenReason(value);
	return isDate(value) || typeof value === 'function' ? brokenReason(value) : undefined;
}

function metadataJson(entries: readonly MetadataEntry[]): Checked<string> {
	const problems: string[] = [];
	const values = new Map<string, unknown>();
	for (const { name, value } of entries) {
		const key = textOf(name);
		const broken = brokenReason(name ?? '') ?? brokenMetadata(value);
		if (key === undefined) {
			problems.push('Callback Metadata holds a value without a name.');
		} else if (values.has(key)) {
			problems.push(`Callback Metadata holds "${shorten(key, 40)}" twice.`);
		} else if (broken) {
			problems.push(`Callback Metadata "${shorten(key, 40)}" ${broken}.`);
		} else {
			values.set(key, value ?? null);
		}
	}
	if (problems.length) return { ok: false, problems };
	let json: string;
	try {
		json = JSON.stringify(Object.fromEntries(values), (_, inner: unknown) =>
			typeof inner === 'string' ? wellFormed(inner) : inner,
		);
	} catch {
		return {
			ok: false,
			problems: ['Callback Metadata holds a value that cannot be written as JSON.'],
		};
	}
	const bytes = Buffer.byteLength(json);
	if (bytes > METADATA_MAX_BYTES) {
		return {
			ok: false,
			problems: [
				`Callback Metadata has ${bytes} bytes; at most ${METADATA_MAX_BYTES} fit into a URL. Send a row number or an ID instead, and look the rest up when the video is ready.`,
			],
		};
	}
	return { ok: true, value: json };
}

/**
 * The user's callback URL with metadata and signature appended. Undefined where the field is empty.
 * `apiReach`: what the API can reach. Gives every problem at once, each a sentence.
 */
export function signedCallbackUrl(
	given: unknown,
	entries: readonly MetadataEntry[],
	apiKey: string,
	apiReach: ApiReach,
): Checked<string | undefined> {
	const link = checkCallbackLink(given, apiReach);
	if (link.ok && link.value === undefined) {
		if (!entries.length) return { ok: true, value: undefined };
		return {
			ok: false,
			problems: [
				'Callback Metadata is set, but Callback URL is empty. Enter the URL of your Seedance Trigger, or remove the metadata.',
			],
		};
	}
	const url = (link.ok && link.value) || '';
	const problems = link.ok ? [] : [...link.problems];
	const refuse = (reason: string) => problems.push(`Callback URL ${quote(url)} ${reason}.`);
	const wrongAddress = url ? wrongAddressReason(url) : undefined;
	if (wrongAddress) refuse(wrongAddress);
	if (new RegExp(`[?&](${META}|${SIGNATURE})=`).test(url)) {
		refuse('has been signed before. Enter the URL as your Seedance Trigger shows it');
	}
	const json = metadataJson(entries);
	if (!json.ok) problems.push(...json.problems);
	const isResume = isResumeUrl(url);
	if (isResume && entries.length) {
		refuse(
			'resumes an execution of n8n, which passes no Callback Metadata on. Remove the metadata',
		);
	}
	if (!json.ok || problems.length) return { ok: false, problems };

	const meta = entries.length ? Buffer.from(json.value).toString('base64url') : '';
	const signature = `${SIGNATURE}=${signatureOf(meta, apiKey)}`;
	// n8n refuses a signed resume URL that was changed (docs/n8n-behaviour.md#signed-resume-url).
	const sent = isResume ? url : withQuery(url, meta ? `${META}=${meta}&${signature}` : signature);
	if (sent.length > CALLBACK_URL_MAX_LENGTH) {
		return {
			ok: false,
			problems: [
				`Callback URL has ${sent.length} characters with its metadata and signature; at most ${CALLBACK_URL_MAX_LENGTH} are possible. Use a shorter URL or less Callback Metadata.`,
			],
		};
	}
	return { ok: true, value: sent };
}

/** The proof in a delivery. `malformed`: not the form of a signature. */
export type Proof = 'absent' | 'malformed' | { meta: string; signature: string };

/** The signature in a query, and the metadata that it has to cover. */
export function proofIn(query: Readonly<Record<string, unknown>>): Proof {
	const { [SIGNATURE]: signature, [META]: meta = '' } = query;
	if (signature === undefined) return 'absent';
	const isWellFormed =
		typeof signature === 'string' &&
		SIGNATURE_FORM.test(signature) &&
		typeof meta === 'string' &&
		META_FORM.test(meta);
	return isWellFormed ? { meta, signature } : 'malformed';
}

/** Whether this account made the signature. Compares in constant time. */
export function isSignedBy(proof: Proof, apiKey: string): boolean {
	if (typeof proof === 'string') return false;
	return timingSafeEqual(
		Buffer.from(signatureOf(proof.meta, apiKey)),
		Buffer.from(proof.signature),
	);
}

/** The metadata in a query: always an object, empty where there is none that can be read. */
export function metadataIn(query: Readonly<Record<string, unknown>>): IDataObject {
	const meta = query[META];
	if (typeof meta !== 'string' || !META_FORM.test(meta)) return {};
	try {
		const metadata: IDataObject = JSON.parse(Buffer.from(meta, 'base64url').toString('utf8'));
		return isObject(metadata) ? metadata : {};
	} catch {
		return {};
	}
}
