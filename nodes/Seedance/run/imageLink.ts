/** An image file of the input item as a link that the API can fetch: n8n's own signed file URLs. */
import { createHash } from 'crypto';

import type { IBinaryData, IExecuteFunctions, INodeExecutionData } from 'n8n-workflow';

import { HEAD_BYTES, imageTypeOf, kindOf } from '../../shared/api/fileType';
import { isObject } from '../../shared/json';
import { unreachableReason, type ApiReach } from '../../shared/task/publicUrl';
import { shorten } from '../../shared/text';

/** How long the link works; the API fetches the image when the task starts. */
const LINK_LIFE = '1d';

/**
 * The temporary folder of n8n for the files that a form or a webhook was sent
 * (docs/n8n-behaviour.md#files-of-forms).
 */
const SENT_FILES = '/executions/temp/';

/** The most names of file fields in a message. */
const MAX_NAMES = 8;

const INSTEAD = 'Or upload the image somewhere public and set Image to "From URL".';

/**
 * A link, what identifies its file across retries, and the SHA-256 (hex) of its content, for which
 * the whole file is read; or what is wrong, in one sentence, and what to do.
 */
export type ImageLink =
	| { url: string; identity: string; contentHash: () => Promise<string> }
	| { problem: string; advice: string };

/** The file in a field, by n8n's own rules (docs/n8n-behaviour.md#files-within-json). */
function fileIn(
	context: IExecuteFunctions,
	itemIndex: number,
	field: string,
): IBinaryData | undefined {
	try {
		return context.helpers.assertBinaryData(itemIndex, field);
	} catch {
		return undefined;
	}
}

/** The fields of an item that hold files, in words for a person. */
function filesOf(context: IExecuteFunctions, itemIndex: number): string {
	const { json, binary }: Partial<INodeExecutionData> = context.getInputData()[itemIndex] ?? {};
	const isInJson = context.getWorkflowSettings?.().binaryMode === 'combined';
	const isFile = ([, value]: [string, unknown]) => isObject(value) && 'mimeType' in value;
	const fields = isInJson
		? Object.entries(json ?? {}).filter(isFile)
		: Object.entries(binary ?? {});
	const names = fields.map(([name]) => name);
	if (!names.length) return 'nor any other file';
	const shown = names.slice(0, MAX_NAMES).map((name) => `"${shorten(name, 40)}"`);
	const more = names.length > MAX_NAMES ? [`${names.length - MAX_NAMES} more`] : [];
	return `only in ${[...shown, ...more].join(', ')}`;
}

/**
 * The first bytes of a file, wherever n8n keeps it; leaving the loop destroys the stream. Throws
 * when it cannot be read.
 */
async function headOf(context: IExecuteFunctions, file: IBinaryData): Promise<Uint8Array> {
	// Four characters of base64 are three bytes.
	if (!file.id) return Buffer.from(file.data.slice(0, HEAD_BYTES * 2), 'base64');
	const stream: AsyncIterable<unknown> = await context.helpers.getBinaryStream(file.id);
	let head = Buffer.alloc(0);
	for await (const chunk of stream) {
		if (chunk instanceof Uint8Array) head = Buffer.concat([head, chunk]);
		if (head.length >= HEAD_BYTES) break;
	}
	return head.subarray(0, HEAD_BYTES);
}

/** SHA-256 (hex) of a file. Throws when it cannot be read. */
async function hashOf(context: IExecuteFunctions, fileId: string): Promise<string> {
	const stream: AsyncIterable<unknown> = await context.helpers.getBinaryStream(fileId);
	const hash = createHash('sha256');
	for await (const chunk of stream) if (chunk instanceof Uint8Array) hash.update(chunk);
	return hash.digest('hex');
}

/**
 * The file, or a copy that keeps its place and is served as an image. n8n moves the files of a form
 * or a webhook when the execution pauses or ends, which would break a link, and serves each file
 * under the type it was stored with (docs/n8n-behaviour.md#files-of-forms,
 * docs/n8n-behaviour.md#type-of-a-served-file).
 */
async function servable(
	context: IExecuteFunctions,
	file: IBinaryData,
	type: string,
): Promise<IBinaryData> {
	const isImage = /^image\//i.test(file.mimeType);
	if (!file.id || (isImage && !file.id.includes(SENT_FILES))) return file;
	const content = await context.helpers.getBinaryStream(file.id);
	try {
		return await context.helpers.prepareBinaryData(
			content,
			file.fileName,
			isImage ? file.mimeType : type,
		);
	} finally {
		content.destroy();
	}
}

/**
 * The part of a file's id that stays the same when n8n moves the file: its name in the store, after
 * the last slash.
 */
function identityOf(fileId: string): string {
	return fileId.slice(fileId.lastIndexOf('/') + 1);
}

/**
 * The link of the image in a binary field of an item. The link differs each time, so `identity`
 * recognises the file across retries. Gives what is wrong where there can be no link: no such file,
 * no image by its first bytes, files kept in memory, or an n8n that the API cannot reach
 * (docs/n8n-behaviour.md#public-address). Throws when n8n cannot store a copy.
 */
export async function imageLink(
	context: IExecuteFunctions,
	itemIndex: number,
	field: string,
	apiReach: ApiReach,
): Promise<ImageLink> {
	const refuse = (why: string, advice: string): ImageLink => ({
		problem: `Input Data Field Name "${shorten(field, 60)}": ${why}.`,
		advice,
	});
	const file = fileIn(context, itemIndex, field);
	if (!file) {
		return refuse(
			`the item has no file in that field, ${filesOf(context, itemIndex)}`,
			'Set it to the field of the previous node that holds the image.',
		);
	}
	const name = file.fileName ? ` "${shorten(file.fileName, 60)}"` : '';
	let head: Uint8Array;
	try {
		head = await headOf(context, file);
	} catch {
		return refuse(
			`the file${name} could not be read from n8n's store`,
			'Execute the node that gives the image once more, so that n8n stores it again.',
		);
	}
	const type = imageTypeOf(head);
	if (!type) {
		return refuse(
			`the file${name} is ${kindOf(head)}, not an image`,
			'Use an image file such as JPEG, PNG or WebP.',
		);
	}
	// Not every n8n has this function, whatever its types say (docs/n8n-behaviour.md#links-to-files).
	if (typeof context.helpers.createBinarySignedUrl !== 'function') {
		return refuse('this n8n cannot make links to files', `Update n8n. ${INSTEAD}`);
	}
	if (!file.id) {
		return refuse(
			`the file${name} is only in n8n's memory, where the API cannot fetch it`,
			`A file of a Code node stays there: let another node, such as HTTP Request or Convert to File, give the image. For any other file, set N8N_DEFAULT_BINARY_DATA_MODE to "filesystem". ${INSTEAD}`,
		);
	}
	if (apiReach !== 'loopback' && unreachableReason(context.getRestApiUrl(), apiReach)) {
		return refuse(
			'the Seedance API cannot fetch the file, because the address of this n8n is not public',
			`Set N8N_WEBHOOK_URL (WEBHOOK_URL before n8n 2.41) or N8N_EDITOR_BASE_URL to its public address. ${INSTEAD}`,
		);
	}
	const fileId = file.id;
	const served = await servable(context, file, type);
	return {
		url: context.helpers.createBinarySignedUrl(served, LINK_LIFE),
		identity: identityOf(file.id),
		contentHash: async () => await hashOf(context, fileId),
	};
}
