/**
 * TikTok's Content Posting API, as far as a video is posted directly, as a file in one piece or as a link: an app that was
 * not audited posts for the account alone.
 *
 * Documents: https://developers.tiktok.com/doc/content-posting-api-reference-direct-post,
 * content-posting-api-media-transfer-guide and content-posting-api-reference-get-video-status
 */
import { isRecord } from '../../sandbox/server.cjs';
import { reply, unknownCall, type Call, type Network, type Reply } from './network.cjs';

const API = 'open.tiktokapis.com';
const UPLOADS = 'open-upload.tiktokapis.com';

interface Post {
	title: string;
	size: number;
	video?: Buffer;
}

export class TikTok implements Network {
	readonly accessToken = 'act.seedance-tests';

	/** By `publish_id`, in order. */
	readonly posts = new Map<string, Post>();

	serves(host: string): boolean {
		return host === API || host === UPLOADS;
	}

	reset(): void {
		this.posts.clear();
	}

	handle(call: Call): Reply {
		if (call.host === UPLOADS) return this.upload(call);
		if (call.headers.authorization !== `Bearer ${this.accessToken}`) {
			return refuse(401, 'access_token_invalid');
		}
		if (call.method !== 'POST') return unknownCall(call);
		if (call.path === '/v2/post/publish/video/init/') return this.start(call);
		if (call.path !== '/v2/post/publish/status/fetch/') return unknownCall(call);
		const post = this.posts.get(String(call.json.publish_id));
		if (!post) return refuse(400, 'invalid_publish_id');
		return accept({ status: post.video ? 'PUBLISH_COMPLETE' : 'PROCESSING_UPLOAD' });
	}

	private start({ json: { post_info: post, source_info: source } }: Call): Reply {
		if (!isRecord(post) || !isRecord(source)) return refuse(400, 'invalid_params');
		if (post.privacy_level !== 'SELF_ONLY') {
			return refuse(403, 'unaudited_client_can_only_post_to_private_accounts');
		}
		// A link has to be on a domain that its owner has verified, and here is none.
		if (source.source !== 'FILE_UPLOAD') return refuse(403, 'url_ownership_unverified');
		const { video_size: size, chunk_size: chunk, total_chunk_count: count } = source;
		if (typeof size !== 'number' || chunk !== size || count !== 1) {
			return refuse(400, 'invalid_params');
		}
		const publish_id = `v_pub_file~v2.${this.posts.size + 1}`;
		this.posts.set(publish_id, { title: String(post.title), size });
		return accept({ publish_id, upload_url: `https://${UPLOADS}/video/?upload_id=${publish_id}` });
	}

	private upload(call: Call): Reply {
		const post = this.posts.get(call.query.upload_id);
		if (call.method !== 'PUT' || !post) return unknownCall(call);
		if (call.headers['content-type'] !== 'video/mp4') return { status: 415 };
		const range = `bytes 0-${post.size - 1}/${post.size}`;
		if (call.headers['content-range'] !== range || call.body.length !== post.size) {
			return { status: 416 };
		}
		post.video = call.body;
		return { status: 201 };
	}
}

const accept = (data: object): Reply =>
	reply(200, { data, error: { code: 'ok', message: '', log_id: '1' } });

const refuse = (status: number, code: string): Reply =>
	reply(status, { error: { code, message: code, log_id: '1' } });
