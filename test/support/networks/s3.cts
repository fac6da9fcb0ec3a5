/**
 * Amazon S3, as far as a file is put into one bucket: where the bucket is, and the file itself. A file of the same name
 * replaces the one before.
 *
 * Documents: https://docs.aws.amazon.com/AmazonS3/latest/API/ API_GetBucketLocation, API_PutObject, ErrorResponses and
 * sig-v4-header-based-auth
 */
import { createHash } from 'node:crypto';

import { unknownCall, type Call, type Network, type Reply } from './network.cjs';

const NAMESPACE = 'http://s3.amazonaws.com/doc/2006-03-01/';

export class S3 implements Network {
	readonly region = 'eu-central-1';
	readonly endpoint = `https://s3.${this.region}.amazonaws.com`;
	readonly accessKeyId = 'AKIASEEDANCETESTS';
	readonly secretAccessKey = 'made-up';
	readonly bucket = 'seedance-tests';

	/** What the bucket holds, by name. */
	readonly files = new Map<string, Buffer>();

	serves(host: string): boolean {
		return host.endsWith('.amazonaws.com');
	}

	reset(): void {
		this.files.clear();
	}

	handle(call: Call): Reply {
		const refused = this.refusal(call);
		if (refused) return refused;
		if (call.host !== `${this.bucket}.${new URL(this.endpoint).host}`) {
			return s3Error(404, 'NoSuchBucket');
		}
		if (call.method === 'GET' && 'location' in call.query) {
			return xml(
				200,
				`<LocationConstraint xmlns="${NAMESPACE}">${this.region}</LocationConstraint>`,
			);
		}
		if (call.method !== 'PUT' || call.path === '/') return unknownCall(call);
		const md5 = digestOf(call.body, 'md5', 'base64');
		if ((call.headers['content-md5'] ?? md5) !== md5) return s3Error(400, 'BadDigest');
		this.files.set(call.path.slice(1), call.body);
		return { status: 200, headers: { ETag: `"${digestOf(call.body, 'md5', 'hex')}"` } };
	}

	/** For a call that is not signed by this key, for this region, or over another body. */
	private refusal({ headers, body }: Call): Reply | undefined {
		const [, key, scope] =
			/^AWS4-HMAC-SHA256 Credential=(\w+)\/\d{8}\/([^,]+)/.exec(headers.authorization ?? '') ?? [];
		if (key !== this.accessKeyId) return s3Error(403, 'InvalidAccessKeyId');
		if (scope !== `${this.region}/s3/aws4_request`) {
			return s3Error(400, 'AuthorizationHeaderMalformed');
		}
		const signed = headers['x-amz-content-sha256'] ?? digestOf(body, 'sha256', 'hex');
		return signed === 'UNSIGNED-PAYLOAD' || signed === digestOf(body, 'sha256', 'hex')
			? undefined
			: s3Error(400, 'XAmzContentSHA256Mismatch');
	}
}

const digestOf = (body: Buffer, algorithm: string, encoding: 'hex' | 'base64') =>
	createHash(algorithm).update(body).digest(encoding);

const xml = (status: number, content: string): Reply => ({
	status,
	headers: { 'content-type': 'application/xml' },
	body: `<?xml version="1.0" encoding="UTF-8"?>\n${content}`,
});

/** An error as S3 sends it. */
export const s3Error = (status: number, code: string): Reply =>
	xml(status, `<Error><Code>${code}</Code><Message>${code}</Message></Error>`);
