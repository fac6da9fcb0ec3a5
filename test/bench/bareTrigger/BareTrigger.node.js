/**
 * A trigger that does nothing: starts a run, or refuses, without looking at anything. What is left of a delivery then is
 * the least that n8n lets any trigger of a package cost. `npm run bench:trigger` loads it as `CUSTOM.bareTrigger`.
 */
class BareTrigger {
	constructor() {
		this.description = {
			displayName: 'Bare Trigger',
			name: 'bareTrigger',
			group: ['trigger'],
			version: 1,
			description: 'Starts a run, or refuses',
			defaults: { name: 'Bare Trigger' },
			inputs: [],
			outputs: ['main'],
			webhooks: [
				{
					name: 'default',
					httpMethod: 'POST',
					responseMode: 'onReceived',
					responseData: '',
					path: 'webhook',
				},
			],
			properties: [{ displayName: 'Refuse', name: 'refuse', type: 'boolean', default: false }],
		};
	}

	async webhook() {
		if (this.getNodeParameter('refuse', false)) {
			this.getResponseObject().status(401).json({ message: 'Refused.' });
			return { noWebhookResponse: true };
		}
		return { workflowData: [[{ json: {} }]], webhookResponse: { message: 'Started.' } };
	}
}

module.exports = { BareTrigger };
