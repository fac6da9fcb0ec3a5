/**
 * YouTube's Data API, as far as videos are uploaded: the resumable protocol with its session, chunks and resumption.
 *
 * Documents: https://developers.google.com/youtube/v3/guides/using_resumable_upload_protocol,
 * https://developers.google.com/youtube/v3/docs/videos/insert and https://developers.google.com/youtube/v3/docs/errors
 */
import { randomUUID } from 'node:crypto';

import { isRecord } from '../../sandbox/server.cjs';
import { googleError, type GoogleAccount } from './google.cjs';
import { reply, unknownCall, type Call, type Network, type Reply } from './network.cjs';

/** Bytes. Every chunk but the last is a multiple of this. */
const CHUNK = 256 * 1024;

/** A video that YouTube has taken. */
export interface YouTubeVideo {
	id: string;
	title: string;
	description: string;
	privacyStatus: string;
	categoryId: string;
	bytes: Buffer;
}

type Metadata = Omit<YouTubeVideo, 'id' | 'bytes'>;

interface Session {
	metadata: Metadata;
	/** All bytes of the file, as the session was opened for. */
	size: number;
	received: Buffer;
	/** The reply to the last byte; a client that did not get it may ask again. */
	video?: YouTubeVideo;
}

const text = (value: unknown) => (typeof value === 'string' ? value : '');

export class YouTube implements Network {
	/** The channel: what was uploaded in this test, in order. */
	readonly videos: YouTubeVideo[] = [];
	private readonly sessions = new Map<string, Session>();

	constructor(private readonly account: GoogleAccount) {}

	serves(host: string, path: string): boolean {
		return host === 'www.googleapis.com' && /^\/(upload\/)?youtube\/v3\//.test(path);
	}

	reset(): void {
		this.videos.length = 0;
		this.sessions.clear();
	}

	handle(call: Call): Reply {
		const line = `${call.method} ${call.path}`;
		// A session's address is its own key: the documents ask for the token there, the server does not.
		if (line === 'PUT /upload/youtube/v3/videos') return this.take(call);
		const refusal = this.account.refusal(call);
		if (refusal) return refusal;
		if (line === 'POST /upload/youtube/v3/videos') return this.open(call);
		if (line === 'GET /youtube/v3/videoCategories') return categories();
		return unknownCall(call);
	}

	private open({ query, json, headers }: Call): Reply {
		if (query.uploadType !== 'resumable') throw new Error(`uploadType is ${query.uploadType}`);
		const parts = (query.part ?? '').split(',');
		if (!parts.includes('snippet')) {
			return googleError(400, 'unexpectedPart', 'The part parameter lacks the snippet.');
		}
		const snippet = isRecord(json.snippet) ? json.snippet : {};
		const status = isRecord(json.status) ? json.status : {};
		const metadata = {
			title: text(snippet.title),
			description: text(snippet.description),
			categoryId: text(snippet.categoryId),
			privacyStatus: text(status.privacyStatus) || 'public',
		};
		const refusal = refusalOf(metadata);
		if (refusal) return refusal;
		const size = Number(headers['x-upload-content-length']);
		if (!(size > 0) || !headers['x-upload-content-type']?.startsWith('video/')) {
			const message = 'The request does not include the video content.';
			return googleError(400, 'mediaBodyRequired', message);
		}
		const id = randomUUID();
		this.sessions.set(id, { metadata, size, received: Buffer.alloc(0) });
		const location = `https://www.googleapis.com/upload/youtube/v3/videos?uploadType=resumable&upload_id=${id}`;
		return { status: 200, headers: { location, 'content-length': '0' } };
	}

	private take({ query, headers, body }: Call): Reply {
		const session = this.sessions.get(query.upload_id);
		if (!session) return googleError(404, 'notFound', 'The upload session was not found.');
		if (session.video) return reply(200, resourceOf(session.video));
		const range = /^bytes (?:(\d+)-(\d+)|\*)\/(\d+|\*)$/.exec(headers['content-range'] ?? '');
		const [first, last] = range ? [range[1], range[2]] : ['0', String(session.size - 1)];
		// A question how far it has got.
		if (range && first === undefined) return incomplete(session);
		const isLast = Number(last) === session.size - 1;
		const isWhole = Number(last) - Number(first) + 1 === body.length;
		const fits = Number(first) === session.received.length && (isLast || body.length % CHUNK === 0);
		if (!isWhole || !fits || (range && Number(range[3]) !== session.size)) {
			return googleError(400, 'badContent', 'The Content-Range does not fit to the upload.');
		}
		session.received = Buffer.concat([session.received, body]);
		if (!isLast) return incomplete(session);
		const id = randomUUID().slice(0, 11);
		session.video = { id, ...session.metadata, bytes: session.received };
		this.videos.push(session.video);
		return reply(201, resourceOf(session.video));
	}
}

function incomplete({ received }: Session): Reply {
	const headers: Record<string, string> = { 'content-length': '0' };
	if (received.length) headers.range = `bytes=0-${received.length - 1}`;
	return { status: 308, headers };
}

const resourceOf = ({ id, bytes: _, privacyStatus, ...snippet }: YouTubeVideo) => ({
	kind: 'youtube#video',
	etag: `"${id}"`,
	id,
	snippet,
	status: { uploadStatus: 'uploaded', privacyStatus },
});

/** Titles and descriptions that YouTube does not take. */
function refusalOf({ title, description, categoryId }: Metadata): Reply | undefined {
	const invalid = (reason: string, what: string) =>
		googleError(400, reason, `The request metadata specifies an invalid ${what}.`);
	if (title === '' || title.length > 100 || /[<>]/.test(title)) {
		return invalid('invalidTitle', 'or empty video title');
	}
	if (Buffer.byteLength(description) > 5000 || /[<>]/.test(description)) {
		return invalid('invalidDescription', 'video description');
	}
	if (!Object.hasOwn(CATEGORIES, categoryId)) return invalid('invalidCategoryId', 'category ID');
	return;
}

/** Those that take videos, in every region. */
const CATEGORIES: Record<string, string> = {
	1: 'Film & Animation',
	22: 'People & Blogs',
	24: 'Entertainment',
	28: 'Science & Technology',
};

const categories = () =>
	reply(200, {
		kind: 'youtube#videoCategoryListResponse',
		items: Object.entries(CATEGORIES).map(([id, title]) => ({
			kind: 'youtube#videoCategory',
			id,
			snippet: { title, assignable: true },
		})),
	});

/** The reply once the day's 10,000 units are spent; an upload takes 100 of them or more. */
export const quotaExceeded = (): Reply =>
	googleError(
		403,
		'quotaExceeded',
		'The request cannot be completed because you have exceeded your quota.',
	);

/** The reply once the channel has uploaded as many videos as it may in a day. */
export const uploadLimitExceeded = (): Reply =>
	googleError(
		400,
		'uploadLimitExceeded',
		'The user has exceeded the number of videos they may upload.',
	);
