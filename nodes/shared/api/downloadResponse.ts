/** The response of a video's server: the whole file of a video, or why not. */
import { numberOf, textOf } from '../json';
import { HEAD_BYTES, kindOf, videoTypeOf } from './fileType';
import { DownloadError, isByteStream, type ByteStream } from './videoStream';

/**
 * The file in a response of the video's server. Throws when it is not HTTP 200: any other is no
 * whole file.
 */
export function videoStreamOf(
	response: Record<string, unknown>,
	headers: Record<string, unknown>,
): ByteStream {
	const status = numberOf(response.statusCode) ?? 0;
	if (!isByteStream(response.body)) throw new DownloadError('the server sent no file');
	if (status === 200) return response.body;
	const retryAfter = numberOf(headers['retry-after']);
	throw new DownloadError(
		`HTTP ${status}${status > 200 && status < 300 ? ', which is no whole file' : ''}`,
		{ status, retryAfterMs: retryAfter === null ? 0 : retryAfter * 1000 },
	);
}

/** The MIME type of a video by its first bytes. Throws when they begin no video. */
export function checkedTypeOf(head: Uint8Array, headers: Record<string, unknown>): string {
	const type = videoTypeOf(head, textOf(headers['content-type']));
	if (type && head.length === HEAD_BYTES) return type;
	const encoding = textOf(headers['content-encoding']);
	const packed = encoding && encoding !== 'identity' ? `, compressed with ${encoding},` : '';
	throw new DownloadError(`the server sent ${kindOf(head)}${packed} instead of a whole video`);
}
