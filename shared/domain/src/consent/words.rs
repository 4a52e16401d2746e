//! The words by which people stop and start messages, by language.

use super::{Said, fold};

/// A language with words of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Language {
    /// English.
    English,
    /// Malay.
    Malay,
    /// Indonesian.
    Indonesian,
    /// Chinese, in both spellings.
    Chinese,
    /// Tamil.
    Tamil,
    /// Arabic.
    Arabic,
    /// Spanish.
    Spanish,
    /// Portuguese.
    Portuguese,
    /// Hindi.
    Hindi,
}

impl Language {
    /// All of them. Where two have the same word, the first is taken to be meant.
    pub const ALL: [Self; 9] = [
        Self::English,
        Self::Malay,
        Self::Indonesian,
        Self::Chinese,
        Self::Tamil,
        Self::Arabic,
        Self::Spanish,
        Self::Portuguese,
        Self::Hindi,
    ];

    /// Its code in ISO 639-1.
    pub const fn code(self) -> &'static str {
        match self {
            Self::English => "en",
            Self::Malay => "ms",
            Self::Indonesian => "id",
            Self::Chinese => "zh",
            Self::Tamil => "ta",
            Self::Arabic => "ar",
            Self::Spanish => "es",
            Self::Portuguese => "pt",
            Self::Hindi => "hi",
        }
    }

    /// Its words on one side.
    pub const fn words(self, said: Said) -> &'static [&'static str] {
        match said {
            Said::Out => self.stop_words(),
            Said::In => self.start_words(),
        }
    }

    /// Whether a folded text is one of its words.
    pub(super) fn has(self, said: Said, folded: &str) -> bool {
        self.words(said).iter().any(|word| fold(word) == folded)
    }

    const fn stop_words(self) -> &'static [&'static str] {
        match self {
            Self::English => &[
                "stop",
                "stop all",
                "stopall",
                "please stop",
                "stop please",
                "stop sending",
                "stop messaging me",
                "unsubscribe",
                "unsubscribe me",
                "cancel",
                "end",
                "quit",
                "revoke",
                "opt out",
                "optout",
                "remove me",
                "no more messages",
                "do not contact me",
                "dont contact me",
                "do not message me",
                "dont message me",
            ],
            Self::Malay => &[
                "berhenti",
                "henti",
                "hentikan",
                "tamat",
                "batal langganan",
                "berhenti langgan",
                "nyahlanggan",
                "jangan hubungi saya",
                "jangan hantar lagi",
                "tidak mahu lagi",
            ],
            Self::Indonesian => &[
                "unreg",
                "setop",
                "berhenti berlangganan",
                "batal berlangganan",
                "batalkan langganan",
                "berhenti kirim",
                "jangan kirim lagi",
                "jangan hubungi saya lagi",
            ],
            Self::Chinese => &[
                "停止",
                "停",
                "退订",
                "退訂",
                "取消订阅",
                "取消訂閱",
                "拒收",
                "退出",
                "不要再发",
                "不要再發",
                "别再发了",
                "別再發了",
                "td",
            ],
            Self::Tamil => &["நிறுத்து", "நிறுத்தவும்", "நிறுத்துங்கள்", "விலகு", "சந்தா நீக்கு", "செய்தி வேண்டாம்"],
            Self::Arabic => &[
                "توقف",
                "قف",
                "أوقف",
                "إيقاف",
                "إلغاء",
                "إلغاء الاشتراك",
                "الغ الاشتراك",
                "انسحاب",
                "لا ترسل",
                "لا تراسلني",
            ],
            Self::Spanish => &[
                "alto",
                "baja",
                "darme de baja",
                "dar de baja",
                "detener",
                "parar",
                "cancelar",
                "cancelar suscripción",
                "no más mensajes",
                "no me escriban",
            ],
            Self::Portuguese => &[
                "pare",
                "sair",
                "descadastrar",
                "cancelar inscrição",
                "cancelar assinatura",
                "parar mensagens",
                "não quero mais",
                "não me escreva",
            ],
            Self::Hindi => {
                &["रोकें", "रोको", "रुकें", "बंद", "बंद करें", "बंद करो", "सदस्यता रद्द करें", "संदेश मत भेजो", "band karo", "roko"]
            }
        }
    }

    const fn start_words(self) -> &'static [&'static str] {
        match self {
            Self::English => &["start", "unstop", "subscribe", "resubscribe", "opt in", "optin", "resume"],
            Self::Malay => &["mula", "mulakan", "langgan", "langgan semula", "sambung"],
            Self::Indonesian => &["mulai", "reg", "berlangganan", "berlangganan lagi", "aktifkan"],
            Self::Chinese => &["开始", "開始", "订阅", "訂閱", "恢复订阅", "恢復訂閱"],
            Self::Tamil => &["தொடங்கு", "தொடங்கவும்", "சந்தா சேர்"],
            Self::Arabic => &["ابدأ", "بدء", "اشتراك", "اشترك"],
            Self::Spanish => &["alta", "iniciar", "empezar", "comenzar", "suscribir", "suscribirme"],
            Self::Portuguese => &["começar", "retomar", "inscrever", "assinar"],
            Self::Hindi => &["शुरू", "शुरू करें", "चालू करें", "सदस्यता लें", "shuru"],
        }
    }

    /// What somebody who opted out in this language is answered.
    pub const fn confirmation(self) -> &'static str {
        match self {
            Self::English => "You will get no more messages from us. Reply START to get them again.",
            Self::Malay => "Anda tidak akan menerima mesej daripada kami lagi. Balas MULA untuk menerimanya semula.",
            Self::Indonesian => "Anda tidak akan menerima pesan dari kami lagi. Balas MULAI untuk menerimanya kembali.",
            Self::Chinese => "您将不再收到我们的消息。如需恢复，请回复“开始”。",
            Self::Tamil => "இனி எங்களிடமிருந்து செய்திகள் வராது. மீண்டும் பெற தொடங்கு என்று பதிலளிக்கவும்.",
            Self::Arabic => "لن تصلك رسائل منا بعد الآن. أرسل ابدأ لتصلك من جديد.",
            Self::Spanish => "No recibirá más mensajes nuestros. Responda ALTA para volver a recibirlos.",
            Self::Portuguese => "Você não receberá mais mensagens nossas. Responda COMEÇAR para voltar a recebê-las.",
            Self::Hindi => "अब आपको हमारे संदेश नहीं मिलेंगे। फिर से पाने के लिए शुरू लिखकर भेजें।",
        }
    }
}
