/** A trigger that does nothing but start a run or refuse: the least that n8n lets any trigger of a package cost. */
class BareTrigger {
	constructor() {
		const webhook = { name: 'default', httpMethod: 'POST', path: 'webhook' };
		this.description = {
			displayName: 'Bare Trigger',
			name: 'bareTrigger',
			group: ['trigger'],
			version: 1,
			description: 'Starts a run, or refuses',
			defaults: { name: 'Bare Trigger' },
			inputs: [],
			outputs: ['main'],
			webhooks: [{ ...webhook, responseMode: 'onReceived', responseData: '' }],
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
