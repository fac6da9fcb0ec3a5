/**
 * A Google account, as n8n's OAuth2 credentials meet it: access tokens that expire, and new ones for a refresh token.
 *
 * Documents: https://developers.google.com/identity/protocols/oauth2/web-server#offline and
 * https://developers.google.com/workspace/drive/api/guides/handle-errors (the shape of an error).
 */
import type { IDataObject } from 'n8n-workflow';

import { reply, fieldOf, unknownCall, type Call, type Network, type Reply } from './network.cjs';

/** An error as Google's APIs send it: `reason` is the word that their documents list. */
export function googleError(status: number, reason: string, message: string): Reply {
	const errors = [{ domain: 'global', reason, message }];
	return reply(status, { error: { code: status, message, errors } });
}

export class GoogleAccount implements Network {
	private readonly client = { id: 'seedance-tests.apps.googleusercontent.com', secret: 'GOCSPX-t' };
	private readonly refreshToken = '1//refresh';
	private issued = 0;
	private accepted = 'ya29.token-0';
	private isRevoked = false;

	/** How often a new access token was given out in this test. */
	refreshes = 0;

	serves(host: string): boolean {
		return host === 'oauth2.googleapis.com';
	}

	reset(): void {
		this.refreshes = 0;
		this.restore();
	}

	/** The access token that n8n has is not valid any more; a refresh gives another one. */
	expire(): void {
		this.accepted = `ya29.token-${++this.issued}`;
	}

	/** The user has taken the access back: the access token is void, and a refresh is refused. */
	revoke(): void {
		this.expire();
		this.isRevoked = true;
	}

	/** The user gives the access again. */
	restore(): void {
		this.isRevoked = false;
	}

	/** What a person's consent in the browser leaves in a credential of n8n. */
	credentialData(scope: string): IDataObject {
		return {
			clientId: this.client.id,
			clientSecret: this.client.secret,
			oauthTokenData: {
				access_token: this.accepted,
				refresh_token: this.refreshToken,
				expires_in: 3599,
				token_type: 'Bearer',
				scope,
			},
		};
	}

	/** The reply to a call without a valid access token; nothing to one that has it. */
	refusal({ headers }: Call): Reply | undefined {
		if (headers.authorization === `Bearer ${this.accepted}`) return;
		const message =
			'Request had invalid authentication credentials. Expected OAuth 2 access token, login cookie or other valid authentication credential.';
		return googleError(401, 'authError', message);
	}

	handle(call: Call): Reply {
		if (call.method !== 'POST' || call.path !== '/token') unknownCall(call);
		const given = (name: string) => fieldOf(call, name);
		if (given('grant_type') !== 'refresh_token') {
			return reply(400, {
				error: 'unsupported_grant_type',
				error_description: 'Invalid grant_type',
			});
		}
		if (given('client_id') !== this.client.id || given('client_secret') !== this.client.secret) {
			return reply(401, { error: 'invalid_client', error_description: 'Unauthorized' });
		}
		if (this.isRevoked || given('refresh_token') !== this.refreshToken) {
			const error_description = 'Token has been expired or revoked.';
			return reply(400, { error: 'invalid_grant', error_description });
		}
		this.refreshes++;
		const token = { access_token: this.accepted, expires_in: 3599, token_type: 'Bearer' };
		return reply(200, token);
	}
}
